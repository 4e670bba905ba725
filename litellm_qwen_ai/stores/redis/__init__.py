"""Logins in Redis or Valkey, for any number of machines: see `docs/fleet.md`."""
