from __future__ import annotations

from typing import Any

from litellm_qwen_ai.models import CATALOGUE
from litellm_qwen_ai.sandbox.checks import MODELS, Model


def test_the_models_are_listed_for_whoever_may_chat(client: Any, sandbox: Any) -> None:
    token = sandbox.issue_tokens()["access_token"]
    answer = client.http.get("/v1/models", headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 200
    assert "coder-model" in {model["id"] for model in answer.json()["data"]}
    assert len(sandbox.requests_to("models")) == 1


def test_the_models_are_not_for_strangers(client: Any) -> None:
    for headers in [{}, {"authorization": "Bearer stranger"}]:
        answer = client.http.get("/compatible-mode/v1/models", headers=headers)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "invalid_api_key"


def test_the_models_can_be_told_to_fail(client: Any, sandbox: Any) -> None:
    sandbox.answer_next("models", "html_504")
    assert client.http.get("/v1/models").status_code == 504
    assert client.http.post("/v1/models").status_code == 405


def test_each_model_of_the_catalogue_is_known_with_its_limits_and_what_it_takes() -> None:
    assert {
        model.name: Model(model.max_input_tokens, model.max_output_tokens, model.vision, model.video)
        for model in CATALOGUE
    } == MODELS
