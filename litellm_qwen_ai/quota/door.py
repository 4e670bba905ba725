"""What the meter needs of the place in which the counts of all processes add up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from litellm_qwen_ai.quota.tally import Tally


class Counters(Protocol):
    """The counts of one account. A method that cannot work raises `StoreError`; the meter lives with that."""

    def read(self) -> Tally:
        """What all processes have counted; the caller may change it."""

    def add(self, new: Tally, now: float) -> bool:
        """Add to what is there.

        Args:
            new: What has been counted since the last time.
            now: The time, in epoch seconds: what is too old for any answer may be forgotten.

        Returns:
            False if it was not possible just now; then it is for the caller to try again.
        """
