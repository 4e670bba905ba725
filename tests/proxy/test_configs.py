"""The proxy configurations that the pages show, and what LiteLLM does with them, in real proxies."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml

from tests.docs.pages import BLOCKS
from tests.proxy.conftest import running_proxy

if TYPE_CHECKING:
    from tests.proxy.conftest import Proxy

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL_STUDIO = "https://dashscope-intl.aliyuncs.com"
CHAT = "/v1/chat/completions"
(README_CONFIG,) = [block.text for block in BLOCKS if (block.page, block.language) == ("README.md", "yaml")]

pytestmark = pytest.mark.proxy


def call(model: str = "coder-model", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "ping"}], **more}


# The configuration of LiteLLM's own page: no custom_provider_map


def test_the_startup_hook_alone_makes_a_configuration_without_a_map_work(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(README_CONFIG)
    assert "custom_provider_map" not in README_CONFIG
    with running_proxy(tmp_path / "tokens", config=config, accounts=["oauth_creds"]) as proxy:
        shown = yaml.safe_load(README_CONFIG)["model_list"]
        for model in [entry["model_name"] for entry in shown]:
            assert proxy.ask(CHAT, call(model)).status_code == 200
        assert proxy.ask("/qwen_ai").status_code == 200


# What LiteLLM itself offers of Model Studio


class ModelStudio(ThreadingHTTPServer):
    """Answers as Model Studio's endpoints do, and keeps what it was sent: method, path, bearer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Endpoint)
        self.seen: list[tuple[str, str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Endpoint(BaseHTTPRequestHandler):
    server: ModelStudio
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if not self.path.endswith("/models"):  # LiteLLM 1.110 asks by itself what an openai/ deployment has
            self.server.seen.append((self.command, self.path, self.headers.get("authorization")))
        answer = json.dumps(_ANSWERS.get(self.path.rsplit("/", 1)[-1], {"output": {}})).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST  # noqa: N815  # http.server's name

    def log_message(self, *_: Any) -> None:
        pass


_FILE = {"object": "file", "bytes": 3, "created_at": 1, "filename": "a.jsonl", "purpose": "batch"}
_BATCH = {"object": "batch", "endpoint": CHAT, "input_file_id": "file-1", "created_at": 1}
_ANSWERS: dict[str, Any] = {
    "embeddings": {
        "object": "list",
        "model": "text-embedding-v4",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
    "reranks": {"id": "r", "results": [{"index": 0, "relevance_score": 0.5}], "usage": {"total_tokens": 1}},
    "generation": {
        "output": {"choices": [{"message": {"content": [{"image": "https://example.com/i.png"}]}}]},
        "usage": {},
    },
    "files": {"id": "file-1", "status": "processed", **_FILE},
    "batches": {"id": "batch_1", "completion_window": "24h", "status": "validating", **_BATCH},
    "batch_1": {"id": "batch_1", "completion_window": "24h", "status": "completed", **_BATCH},
}
_LINE = json.dumps({"custom_id": "1", "method": "POST", "url": CHAT, "body": call("qwen-plus")}).encode()


@pytest.fixture(scope="module")
def model_studio() -> Iterator[ModelStudio]:
    with ModelStudio() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def beside(model_studio: ModelStudio, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("beside")
    text = (EXAMPLES / "model_studio.yaml").read_text()
    assert MODEL_STUDIO in text
    config = folder / "model_studio.yaml"
    config.write_text(text.replace(MODEL_STUDIO, model_studio.url))
    more = {"DASHSCOPE_API_KEY": "sk-of-model-studio"}
    with running_proxy(folder / "tokens", config=config, accounts=["oauth_creds"], more=more) as running:
        yield running


@pytest.mark.parametrize(
    ("path", "body", "reaches"),
    [
        ("/v1/embeddings", {"model": "text-embedding-v4", "input": "x"}, "/compatible-mode/v1/embeddings"),
        (
            "/rerank",
            {"model": "qwen3-rerank", "query": "x", "documents": ["a"]},
            "/compatible-api/v1/reranks",
        ),
        (
            "/v1/images/generations",
            {"model": "qwen-image", "prompt": "x"},
            "/api/v1/services/aigc/multimodal-generation/generation",
        ),
        (
            "/dashscope/services/aigc/video-generation/video-synthesis",
            {"model": "wan2.2-t2v-plus"},
            "/api/v1/services/aigc/video-generation/video-synthesis",
        ),
        ("/dashscope/tasks/1", None, "/api/v1/tasks/1"),
    ],
    ids=["embeddings", "rerank", "images", "pass-through", "pass-through, GET"],
)
def test_what_the_configuration_names_reaches_model_studio_with_its_key(
    path: str, body: dict[str, Any] | None, reaches: str, beside: Proxy, model_studio: ModelStudio
) -> None:
    model_studio.seen.clear()
    answer = beside.ask(path, body)
    assert answer.status_code == 200, answer.text
    assert model_studio.seen == [("GET" if body is None else "POST", reaches, "Bearer sk-of-model-studio")]


def test_files_and_batches_go_by_the_provider_openai(beside: Proxy, model_studio: ModelStudio) -> None:
    uploaded = httpx.post(
        f"{beside.url}/v1/files",
        headers={**beside.headers, "x-litellm-model": "batches"},
        data={"purpose": "batch"},
        files={"file": ("a.jsonl", _LINE, "application/jsonl")},
        timeout=120,
    ).json()
    model_studio.seen.clear()
    order = {"input_file_id": uploaded["id"], "endpoint": CHAT, "completion_window": "24h"}
    batch = beside.ask("/v1/batches", order).json()
    assert beside.ask(f"/v1/batches/{batch['id']}").json()["status"] == "completed"
    assert model_studio.seen == [
        ("POST", "/compatible-mode/v1/batches", "Bearer sk-of-model-studio"),
        ("GET", "/compatible-mode/v1/batches/batch_1", "Bearer sk-of-model-studio"),
    ]


def test_nobody_passes_through_without_a_key_of_the_proxy(beside: Proxy, model_studio: ModelStudio) -> None:
    model_studio.seen.clear()
    answer = httpx.post(f"{beside.url}/dashscope/services/x", json={}, timeout=120)
    assert answer.status_code >= 400  # 401, or 500 where LiteLLM trips over its own handler for it
    assert not model_studio.seen


# What docs/litellm.md says LiteLLM does itself. Should one fail, LiteLLM has mended it: mend the page.


def test_previous_response_id_loses_the_history_without_a_word(logged_in: Proxy) -> None:
    first = logged_in.ask("/v1/responses", {"model": "coder-model", "input": "My name is Ann."}).json()
    logged_in.sandbox.clear()
    more = {"model": "coder-model", "input": "Who am I?", "previous_response_id": first["id"]}
    assert logged_in.ask("/v1/responses", more).status_code == 200
    (request,) = logged_in.sandbox.requests_to("chat")
    assert b"Ann" not in request.body


def test_retry_after_reaches_a_proxys_client_under_another_name_only(logged_in: Proxy) -> None:
    logged_in.sandbox.answer_next("chat", "throttled", times=9)  # LiteLLM tries again
    answer = logged_in.ask(CHAT, call())
    logged_in.sandbox.clear()
    assert answer.status_code == 429
    assert float(answer.headers["llm_provider-retry-after"]) > 0
    assert "retry-after" not in answer.headers


def test_an_empty_text_comes_before_a_tool_call_at_v1_messages(logged_in: Proxy) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    tool = {"name": "get_weather", "description": "The weather", "input_schema": schema}
    question = call(max_tokens=100, tools=[tool])
    question["messages"][0]["content"] = "What is the weather in Paris?"
    content = logged_in.ask("/v1/messages", question).json()["content"]
    assert [part["type"] for part in content] == ["text", "tool_use"]
    assert content[0]["text"] == ""
