"""What a dead process on this machine left of a renewal."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from litellm_qwen_ai.stores.redis.catcher import Catchers

pytestmark = pytest.mark.skipif(os.name != "posix", reason="there are such files on POSIX only")
MARK, OTHER = "0123456789abcdef", "fedcba9876543210"


def left_behind(folder: Path, mark: str, name: str, *, age: float = 10, mode: int = 0o600) -> Path:
    path = folder / f"alice.{mark}.{name}.1f"
    path.write_bytes(b'{"access_token": "a"}   ')
    path.chmod(mode)
    then = int(time.time() - age)
    os.utime(path, (then, then))
    return path


def test_an_answer_is_found_by_the_token_that_it_replaces(tmp_path: Path) -> None:
    path = left_behind(tmp_path, MARK, "ab")
    left_behind(tmp_path, OTHER, "cd")
    (found,) = Catchers(tmp_path, "alice").left(MARK)
    assert (found.path, found.name, found.answer) == (path, "ab", b'{"access_token": "a"}')
    assert found.at == path.stat().st_mtime
    assert not list(Catchers(tmp_path, "bob").left(MARK))


def test_a_file_that_others_may_have_written_is_passed_over(tmp_path: Path) -> None:
    for name in ("ab", "ef"):
        left_behind(tmp_path, MARK, name, mode=0o666)
    good = left_behind(tmp_path, MARK, "cd")
    assert [found.path for found in Catchers(tmp_path, "alice").left(MARK)] == [good]


def test_an_answer_to_another_token_goes_after_a_day(tmp_path: Path) -> None:
    old = left_behind(tmp_path, OTHER, "ab", age=86_400 + 60)
    young = left_behind(tmp_path, OTHER, "cd", age=86_400 - 3600)
    asked_for = left_behind(tmp_path, MARK, "ef", age=86_400 * 9)
    assert [found.path for found in Catchers(tmp_path, "alice").left(MARK)] == [asked_for]
    assert [path.exists() for path in (old, young, asked_for)] == [False, True, True]


def test_nothing_is_left_where_there_is_no_folder(tmp_path: Path) -> None:
    assert not list(Catchers(None, "alice").left(MARK))
    assert not list(Catchers(tmp_path / "none", "alice").left(MARK))
