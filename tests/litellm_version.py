"""The LiteLLM that is installed, for tests of what only later ones do."""

from __future__ import annotations

from importlib.metadata import version

VERSION = version("litellm")
NUMBERS = tuple(map(int, VERSION.split(".")[:2]))

#: An earlier Router keeps the deployment that it makes for a client's address, and sends other calls there:
#: they get no login, and are refused.
KEEPS_COPIES = NUMBERS < (1, 106)
