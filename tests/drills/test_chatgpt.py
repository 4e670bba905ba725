"""The server that the peer's drills run against; the peer itself is driven by `make drills` only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from drills.chatgpt import Server, serving


def post(url: str, body: dict[str, Any]) -> dict[str, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode())  # noqa: S310  # loopback
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  # loopback
        said: dict[str, Any] = json.loads(answer.read())
    return said


def test_a_refresh_token_is_good_for_one_refresh() -> None:
    server = Server(60)
    first = server.login(60)["refresh_token"]
    with serving(server) as url:
        second = post(url, {"refresh_token": first})["refresh_token"]
        with pytest.raises(urllib.error.HTTPError, match="400") as spent:
            post(url, {"refresh_token": first})
        spent.value.close()
        assert post(url, {"refresh_token": second})["refresh_token"] == server.last
        with pytest.raises(urllib.error.HTTPError, match="403") as incomplete:
            post(url, {"client_id": "x"})
        incomplete.value.close()
    assert (server.refreshes, server.requests) == (2, 3)
