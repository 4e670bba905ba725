"""The endings in short; at full size they are `make drills`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from drills import endings

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows ends processes in another way")


@pytest.mark.parametrize("name", endings.WAYS)
def test_a_program_told_to_end_during_a_refresh_keeps_the_new_token(tmp_path: Path, name: str) -> None:
    sound, _ = endings.ended(tmp_path, endings.WAYS[name])
    assert sound
