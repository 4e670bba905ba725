"""The crashes in short; at full size they are `make drills`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from drills import crashes
from drills.victim import CAUGHT, RECEIVED, SENT, marks

from litellm_qwen_ai.oauth import FileStore
from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.stores.files.turn import FileTurn

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the victims fork")


def test_processes_killed_at_any_moment_lose_nothing_that_had_arrived(tmp_path: Path) -> None:
    toll, _ = crashes.kills(tmp_path, 15, seed=1)
    assert sum(toll.found.values()) == 15
    assert set(toll.found) <= crashes.GOOD, toll.found


def test_an_answer_is_on_disk_soon_after_its_last_byte(tmp_path: Path) -> None:
    times = crashes.windows(tmp_path, 11)
    assert len(times) == 10
    assert 0 < times[0] < 0.1  # the figure itself is the drill's: here the machine is busy


def test_what_a_kill_leaves_is_told_apart(tmp_path: Path) -> None:
    store, shared = FileStore(tmp_path / "login"), marks(tmp_path / "memory")
    waits: list[float] = []
    with Sandbox() as sandbox:

        def found() -> str:
            return crashes.after(store, sandbox, shared, waits)

        path = sandbox.write_credentials(tmp_path / "login")
        assert found() == "kept"
        sandbox.revoke()
        shared[SENT], shared[RECEIVED], shared[CAUGHT] = 3.0, 1.0, 2.0
        assert found() == "lost on its way"
        shared[RECEIVED] = 4.0
        assert found() == "lost at its arrival"
        shared[CAUGHT] = 5.0
        assert found() == "lost"
        path.write_bytes(path.read_bytes()[:-9])
        assert found() == "torn"
        path.chmod(0o640)
        assert found() == "wrong mode"
        path.unlink()
        old = sandbox.issue_tokens()
        path.write_text(json.dumps(old))
        path.chmod(0o600)
        stored = store.look()
        assert stored is not None
        turn = store.turn(stored)
        assert isinstance(turn, FileTurn)
        with turn:
            turn.catch(json.dumps(sandbox.issue_tokens()).encode())
            (catcher,) = store.path.parent.glob("*.answer")
            caught = catcher.read_bytes()
        catcher.write_bytes(caught)  # as a kill leaves it
        catcher.chmod(0o600)
        assert found() == "recovered"
    assert max(waits) < 5
