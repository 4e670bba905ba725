"""Logins in files of one machine: a JSON file for each account, in one folder."""
