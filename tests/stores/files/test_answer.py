"""What catches the answer to a renewal."""

from __future__ import annotations

from litellm_qwen_ai.stores.files.answer import AnswerFile


def test_without_a_file_it_counts_what_came_since_an_answer_was_expected() -> None:
    answer = AnswerFile()
    answer.catch(b"abc")
    assert answer.caught == 3
    answer.expect()
    assert answer.caught == 0
    answer.catch(b"de")
    assert answer.caught == 2
