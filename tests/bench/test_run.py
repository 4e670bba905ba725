"""Lanes take turns, logins are made up, and both upstreams answer alike."""

from __future__ import annotations

import http.client
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import probes, store, upstream
from bench.lanes import OURS, environment, write_logins
from bench.run import rotated
from bench.upstream import Upstream
from litellm_qwen_ai import FileStore
from tests.valkey import Valkey

ROOT = Path(__file__).parents[2]


def test_every_lane_is_first_once() -> None:
    lanes = ["a", "b", "c"]
    assert [rotated(lanes, by) for by in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]


def test_a_lane_sees_no_key_and_no_proxy_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-user")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("QWEN_COALESCE", "0")
    seen = environment(tmp_path)
    assert not {"OPENAI_API_KEY", "HTTPS_PROXY", "QWEN_COALESCE"} & set(seen)
    assert seen["QWEN_TOKEN_DIR"] == str(tmp_path / "qwen")


def test_the_made_up_login_is_one_that_the_store_takes(tmp_path: Path) -> None:
    write_logins(tmp_path, "http://127.0.0.1:1/v1")
    stored = FileStore(tmp_path / "qwen").look()
    assert stored is not None
    assert stored.credentials.api_base == "http://127.0.0.1:1/v1"


def test_the_look_up_of_a_token_is_the_routes_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    importlib.import_module("litellm_qwen_ai.accounts")  # as after a first call
    write_logins(tmp_path, "http://127.0.0.1:1/v1")
    monkeypatch.setenv("QWEN_TOKEN_DIR", str(tmp_path / "qwen"))
    assert probes._look_up()().api_base == "http://127.0.0.1:1/v1"


def test_the_store_is_measured_from_two_processes_beside_a_server_that_ends_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers: list[Valkey] = []

    def started(folder: Path) -> Valkey:
        servers.append(Valkey(folder))
        return servers[-1]

    monkeypatch.setattr(store, "Valkey", started)
    figures = store.run(tmp_path, 1)
    assert all(figures[name][0][OURS] > 0 for name in ("store-look", "store-seen"))
    [server] = servers
    assert server._process.poll() is not None


@pytest.mark.parametrize("kind", ["C", "asyncio"])
def test_both_upstreams_give_the_same_answers(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "asyncio":
        monkeypatch.setattr(upstream, "_compiled", lambda _: None)
    monkeypatch.chdir(ROOT)
    with upstream.running() as server:
        if server.kind != kind:
            pytest.skip("no C compiler here")
        server.mode(chunks=3, pace=1)
        whole = json.loads(_ask(server, stream=False))
        events = _ask(server, stream=True).decode().split("\n\n")
    assert whole["model"] == "some-model"
    assert whole["usage"]["total_tokens"] == 21
    assert [event for event in events if event][-1] == "data: [DONE]"
    chunks = [json.loads(event[6:]) for event in events if event.startswith("data: {")]
    texts = [chunk["choices"][0]["delta"].get("content") for chunk in chunks if chunk["choices"]]
    assert texts == ["", "00000 ", "00001 ", "00002 ", None]
    assert chunks[-1]["usage"]["total_tokens"] == 21


def _ask(server: Upstream, *, stream: bool) -> bytes:
    body = {
        "model": "some-model",
        "messages": [],
        "stream": stream,
        "stream_options": {"include_usage": True},
    }
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("POST", "/v1/chat/completions", json.dumps(body))
    answer = connection.getresponse().read()
    connection.close()
    return answer


def test_the_command_says_what_it_does() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--help"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "--quick" in done.stdout
