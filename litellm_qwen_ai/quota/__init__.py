"""How many requests each account has sent, and whether the server has had enough."""
