"""The OAuth server, the clock and the login files of tests/logins.py."""

from tests.logins import clock, logins, new_session, server, session, store

__all__ = ["clock", "logins", "new_session", "server", "session", "store"]
