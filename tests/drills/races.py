"""Races: many processes and threads want a token at once."""
