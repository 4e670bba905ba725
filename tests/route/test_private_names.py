"""What is read of LiteLLM under names that are its own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from litellm_qwen_ai.route.private_names import deployments_of

FIRST, SECOND = {"model_name": "first"}, {"model_name": "second"}


@pytest.mark.parametrize(
    ("router", "found"),
    [
        (
            SimpleNamespace(registry=lambda: SimpleNamespace(all=lambda: [FIRST]), model_list=[SECOND]),
            [FIRST],
        ),
        (SimpleNamespace(registry=SimpleNamespace, model_list=[SECOND]), [SECOND]),
        (SimpleNamespace(model_list=[SECOND, None]), [SECOND]),
        (SimpleNamespace(model_list=None), []),
        (SimpleNamespace(), []),
    ],
    ids=["newest", "another registry", "a list", "none", "hidden"],
)
def test_the_deployments_of_a_router_are_found_wherever_its_version_keeps_them(
    router: Any, found: Any
) -> None:
    assert deployments_of(router) == found
