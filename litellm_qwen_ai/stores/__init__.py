"""The places that can keep a login."""
