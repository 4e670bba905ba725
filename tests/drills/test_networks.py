"""The networks in short; at full size they are `make drills`."""

from __future__ import annotations

from pathlib import Path

import pytest
from drills import networks


def test_what_litellm_is_told_is_trusted_by_all(tmp_path: Path) -> None:
    result = networks.behind(tmp_path, networks.http_proxy, ["litellm.ssl_verify"], ("call", "async stream"))
    assert not result.failures, result.note


def test_socks_serves_all(tmp_path: Path) -> None:
    result = networks.behind(tmp_path, networks.socks5, ["SSL_CERT_FILE"], ("stream", "async call"))
    assert not result.failures, result.note


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    result = networks.settings(tmp_path)
    assert not result.failures, result.note


@pytest.mark.parametrize("name", networks.DRIPS)
def test_what_drips_is_ended(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "DRIP", 0.1)
    with pytest.raises(networks.TransportError, match="in time"):
        networks.exchange(name, *networks.DRIPS[name])
