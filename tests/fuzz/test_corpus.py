"""What the fuzzer has found is tried on every run, without atheris."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.seeds import corpus, seeds
from fuzz.targets import TARGETS

CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_of_the_corpus_breaks_its_target(target: str) -> None:
    inputs = corpus(CORPUS / target)
    assert inputs
    for path in inputs:
        TARGETS[target](path.read_bytes())


def test_no_answer_of_the_sandbox_breaks_a_target() -> None:
    begun = seeds()
    assert set(begun) == set(TARGETS)
    for target, inputs in begun.items():
        assert inputs
        for data in inputs:
            TARGETS[target](data)
