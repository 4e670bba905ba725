"""The store faults, one test for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

pytest.importorskip("fcntl", reason="the faults are POSIX's")

from drills import stores
from drills.stores import FAULTS, MEMORY, RENEWED, Asker, Fault

from litellm_qwen_ai.sandbox import Sandbox


@pytest.fixture(scope="module")
def asking() -> Iterator[Asker]:
    with closing(Asker()) as running:
        yield running


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_costs_a_clear_error_at_most(fault: Fault, sandbox: Sandbox, asking: Asker) -> None:
    if not stores.possible(fault):
        pytest.skip("not on this file system, or not for this user")
    assert stores.wrong_with(fault, sandbox, asking) == ""


@pytest.mark.parametrize("expected", [RENEWED, MEMORY, "StoreError"])
def test_another_outcome_than_the_expected_is_found(expected: str, sandbox: Sandbox, asking: Asker) -> None:
    fault = Fault("empty file", expected, lambda place: place.rewrite(b""))
    assert "CorruptCredentialsError" in stores.wrong_with(fault, sandbox, asking)
    fault = Fault("nothing", "StoreError", lambda place: None)
    assert stores.wrong_with(fault, sandbox, asking).startswith("token:")
