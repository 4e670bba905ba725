"""What `doctor` has looked at in a process of its own; that process itself in tests/cli/test_doctor.py."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import litellm
import pytest

from litellm_qwen_ai.names import PROVIDER
from litellm_qwen_ai.route import patches, probe
from litellm_qwen_ai.sandbox import Sandbox


def test_a_litellm_that_cannot_be_imported_is_told_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "litellm", None)
    seen = probe.look()
    assert seen.keys() == {"litellm", "fault"}
    assert seen["litellm"] is None
    assert seen["fault"].startswith("ModuleNotFoundError: ")


def test_what_is_registered_is_told() -> None:
    patches.apply_adaptations()  # what another test has loaded of a proxy is later than ours
    seen = probe.look()
    assert seen == {
        "litellm": version("litellm"),
        "registered": True,
        "adaptations": patches.active_adaptations(),
        "past_python": None,
        "switched_off": False,
    }
    assert all(seen["adaptations"].values())


def test_a_route_that_another_program_took_and_a_switch_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    entries = litellm.custom_provider_map
    others = [{"provider": "other", "custom_handler": entry["custom_handler"]} for entry in entries]
    monkeypatch.setattr(
        litellm, "custom_provider_map", [*others, {"provider": PROVIDER, "custom_handler": 1}]
    )
    monkeypatch.setenv("QWEN_HOST_ADAPTATIONS", "0")
    seen = probe.look()
    assert (seen["registered"], seen["switched_off"]) == (False, True)


@pytest.mark.parametrize(
    ("given", "called"), [(["call"], [None]), (["call", "alice", "x"], ["alice"]), ([], []), (["other"], [])]
)
def test_the_process_prints_one_object_and_calls_if_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    given: list[str],
    called: list[str | None],
) -> None:
    made: list[str | None] = []

    def call(account: str | None = None) -> dict[str, Any]:
        made.append(account)
        return {"seconds": 1.0, "error": None}

    monkeypatch.setattr(probe, "call", call)
    probe.main(given)
    printed = json.loads(capsys.readouterr().out)
    assert made == called
    assert printed == {**probe.look(), **({"seconds": 1.0, "error": None} if called else {})}


def test_a_long_error_is_told_in_one_line_and_cut() -> None:
    assert probe._told(ValueError("a \n  b")) == "ValueError: a b"
    assert probe._told(ValueError("x" * 700)) == "ValueError: " + "x" * 588


def test_the_call_asks_for_next_to_nothing(sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir)
    called = probe.call()
    assert called.keys() == {"seconds", "error"}
    assert called["seconds"] > 0
    assert called["error"] is None
    asked = sandbox.requests_to("chat")[0].json
    assert asked["messages"][-1] == {"role": "user", "content": "Say ok."}
    assert asked["max_tokens"] == 8


def test_the_call_uses_the_login_of_the_account_it_is_given(sandbox: Sandbox, token_dir: Path) -> None:
    sandbox.write_credentials(token_dir, "alice.json")
    assert probe.call("alice")["error"] is None
    assert probe.call()["error"].startswith("AuthenticationError: ")
