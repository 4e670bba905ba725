"""A key that is kept instead of a login: what it is for, and whether it is taken."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from litellm_qwen_ai.oauth import FileStore, keep_key
from litellm_qwen_ai.oauth.check import check_key
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    CorruptCredentialsError,
    KeyRefusedError,
    KeyUncheckedError,
)
from litellm_qwen_ai.plans import MEND, PLANS
from litellm_qwen_ai.sandbox import Answer, Sandbox

KEY = "sk-sp-5f0e8d7c6b5a49382716"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(api_keys=(KEY, "sk-other-0123456789")) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "tokens")


def no_piece(text: str) -> bool:
    return not any(KEY[at : at + 8] in text for at in range(len(KEY) - 7))


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.name)
def test_a_key_is_kept_for_its_plan(store: FileStore, plan: Any) -> None:
    kept = keep_key(store, f" {KEY}\n", plan=plan.name, check=False)
    assert store.look().credentials == kept
    assert (kept.is_key, kept.plan, kept.api_base) == (True, plan.name, plan.base_url)
    assert kept.access_token == KEY
    assert store.guard() == "mode 0600"


def test_a_key_is_tried_once_without_cost(store: FileStore, sandbox: Sandbox) -> None:
    kept = keep_key(store, KEY, api_base=sandbox.url)
    assert (kept.plan, kept.api_base) == ("custom", sandbox.api_base)
    assert [one.path for one in sandbox.requests] == ["/v1/models"]
    assert sandbox.requests[0].bearer == KEY
    assert sandbox.counts.chat_requests == 0


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        ("token_expired", KeyRefusedError, "HTTP 401"),
        ("token_expired_403", KeyRefusedError, "HTTP 403"),
        ("model_not_in_plan", KeyRefusedError, "HTTP 403"),
        ("not_found", KeyUncheckedError, "HTTP 404"),
        ("throttled", KeyUncheckedError, "HTTP 429"),
        ("quota_spent", KeyUncheckedError, "HTTP 429"),
        ("html_504", KeyUncheckedError, "a web page"),
        ("html_200", KeyUncheckedError, "a web page"),
        ("cut", KeyUncheckedError, "ended early"),
    ],
)
def test_a_key_that_is_not_taken_for_certain_is_not_kept(
    store: FileStore, sandbox: Sandbox, answer: str, kind: type[Exception], told: str
) -> None:
    keep_key(store, "sk-other-0123456789", api_base=sandbox.api_base)
    sandbox.answer_next("models", answer)
    with pytest.raises(kind, match=re.escape(sandbox.url[7:])) as failure:
        keep_key(store, KEY, api_base=sandbox.api_base)
    assert type(failure.value) is kind
    assert told in str(failure.value)
    assert ("--no-check" in str(failure.value)) is (kind is KeyUncheckedError)
    assert store.look().credentials.access_token == "sk-other-0123456789"  # made up


def test_a_server_that_is_not_there_is_named(store: FileStore) -> None:
    with pytest.raises(KeyUncheckedError, match=r"127\.0\.0\.1:9.*--no-check"):
        keep_key(store, KEY, api_base="http://127.0.0.1:9/v1")
    assert store.look() is None


def test_a_refusal_names_the_plan_and_what_the_key_looks_like(store: FileStore, sandbox: Sandbox) -> None:
    sandbox.answer_next("models", "token_expired")
    with pytest.raises(KeyRefusedError, match=r"given as one of Coding Plan, international \(coding-intl\)"):
        keep_key(store, KEY, plan="coding-intl", api_base=sandbox.api_base)


def test_an_address_at_home_is_tried_too(sandbox: Sandbox) -> None:
    assert check_key(sandbox.url, KEY).result == "accepted"
    assert check_key("http://127.0.0.2:9", KEY).result == "unknown"
    assert "user name" in check_key("https://a:b@x.example", KEY).message


def test_another_key_stays_with_the_plan_of_the_one_before(store: FileStore, sandbox: Sandbox) -> None:
    keep_key(store, KEY, plan="coding-china", api_base=sandbox.api_base)
    kept = keep_key(store, "sk-other-0123456789")
    assert (kept.plan, kept.api_base) == ("coding-china", sandbox.api_base)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "coding-intl"),
        ({"plan": "nonsense"}, "no such plan.*coding-intl"),
        ({"plan": "custom"}, "--api-base"),
        ({"api_base": "https://me:pw@x.example"}, "user name or password"),
    ],
)
def test_what_a_key_is_for_has_to_be_known(store: FileStore, given: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told):
        keep_key(store, KEY, check=False, **given)
    assert store.look() is None


def test_each_reason_not_to_keep_a_key_is_told_in_full(store: FileStore, sandbox: Sandbox) -> None:
    names = ", ".join(plan.name for plan in PLANS)

    def told(key: str = KEY, **given: Any) -> str:
        with pytest.raises((ConfigurationError, KeyRefusedError, KeyUncheckedError)) as failure:
            keep_key(store, key, **given)
        return str(failure.value)

    no_key = (
        "What was given is no key: it is too long, or holds a space or another character "
        "that no key has. Copy it "
        "anew."
    )
    assert told("") == "No key was given: it is empty."
    assert told("x" * 4097) == told("two words") == no_key
    assert keep_key(store, "x" * 4096, plan="beijing", check=False, force=True).access_token == "x" * 4096
    store.delete()
    assert told() == (
        f"What is the key for? Name its plan, `{store.login_command} --key --plan NAME` "
        f"({names}), or the address "
        "of another server with --api-base (api_base=)."
    )
    assert told(plan="nonsense") == f"There is no such plan; it is one of {names}. {MEND}"
    assert told(plan="custom") == "'custom' has no address of its own: add --api-base (api_base=)."
    host, base = sandbox.url[7:], sandbox.api_base
    sandbox.answer_next("models", Answer("refused", 401, b""))
    assert told(api_base=base) == (
        f"{host} refuses the key (HTTP 401). The key was not kept. A key works at its own "
        f"plan's address only. "
        f"{MEND}"
    )
    sandbox.answer_next("models", Answer("no list", 404, b""))
    assert told(api_base=base, plan="custom") == (
        f"Whether {host} takes the key is not known: it answered the list of models with "
        f"HTTP 404. The key was "
        "not kept. To keep it unchecked, add --no-check (check=False)."
    )
    assert store.look() is None
    store.save(Credentials(access_token="a", expiry_date=253_402_300_799_000))
    assert told(api_base=base) == (
        f"There is a login in {store.describe()}. To replace it by a key, add --force (force=True); to keep "
        "both, keep the key in an account of another name."
    )


def test_an_address_of_a_plan_is_that_plan(store: FileStore) -> None:
    kept = keep_key(store, KEY, api_base="dashscope-us.aliyuncs.com", check=False)
    assert (kept.plan, kept.api_base) == ("virginia", "https://dashscope-us.aliyuncs.com/compatible-mode/v1")


@pytest.mark.parametrize("text", ["", " \n", "two words", "sk-\u00fcmlaut", "sk-\r\nX: 1", "x" * 5000])
def test_what_is_no_key_is_refused_without_showing_it(store: FileStore, text: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        keep_key(store, text, plan="beijing", check=False)
    assert not text.strip() or text.strip() not in str(failure.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        *((f"'{KEY}'", "in quotes"), (f'"{KEY}"', "in quotes"), (f"\u201c{KEY}\u201d", "in quotes")),
        *((f"{KEY}'", "in quotes"), (f"`{KEY}`", "in quotes")),
        *((f"QWEN_API_KEY={KEY}", "name of a variable"), (f"export KEY={KEY}", "name of a variable")),
        *((f"Bearer {KEY}", "name of a header"), (f"Authorization: Bearer {KEY}", "name of a header")),
        *((f'{{"api_key":"{KEY}"}}', "in brackets"), (f"[{KEY}]", "in brackets")),
    ],
)
def test_what_a_key_was_copied_with_is_named(
    store: FileStore, sandbox: Sandbox, text: str, told: str
) -> None:
    with pytest.raises(ConfigurationError, match=told) as failure:
        keep_key(store, text, api_base=sandbox.api_base)
    assert no_piece(str(failure.value))
    assert sandbox.requests == []


def test_a_terminals_marks_around_a_pasted_key_are_left_out(store: FileStore) -> None:
    assert keep_key(store, f"\x1b[200~{KEY}\x1b[201~", plan="beijing", check=False).access_token == KEY


def test_what_ends_in_equals_signs_is_a_key(store: FileStore) -> None:
    assert keep_key(store, "c2VjcmV0c2VjcmV0cw==", plan="beijing", check=False).is_key


def test_an_address_with_a_query_is_not_repeated(store: FileStore) -> None:
    with pytest.raises(ConfigurationError, match=r"https://x\.example has a query") as failure:
        keep_key(store, KEY, api_base="https://x.example/v1?token=hidden", check=False)
    assert "hidden" not in str(failure.value)


def test_a_live_login_is_replaced_only_if_that_is_said(
    store: FileStore, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.write_credentials(tmp_path / "tokens")
    with pytest.raises(ConfigurationError, match="--force"):
        keep_key(store, KEY, plan="beijing", check=False)
    assert not store.look().credentials.is_key
    keep_key(store, KEY, plan="beijing", check=False, force=True)
    assert store.look().credentials.is_key


def test_a_login_that_is_dead_is_in_nobodys_way(store: FileStore, sandbox: Sandbox, tmp_path: Path) -> None:
    sandbox.write_credentials(tmp_path / "tokens", lifetime=-60)
    keep_key(store, KEY, plan="beijing", check=False)
    assert store.look().credentials.is_key


def test_a_file_that_is_no_login_is_kept_beside_the_key(store: FileStore) -> None:
    store.path.parent.mkdir(mode=0o700)
    store.path.write_text("{broken")
    store.path.chmod(0o600)
    with pytest.raises(CorruptCredentialsError):
        keep_key(store, KEY, plan="beijing", check=False)
    keep_key(store, KEY, plan="beijing", check=False, force=True)
    assert store.look().credentials.is_key
    assert len([one for one in store.path.parent.iterdir() if "{broken" in one.read_text()]) == 1


@pytest.mark.parametrize("answer", ["token_expired", "cut", "html_504", "echo"])
def test_no_failure_shows_a_piece_of_the_key(store: FileStore, sandbox: Sandbox, answer: str) -> None:
    body = {"error": {"message": f"Incorrect API key provided: {KEY[3:-2]}**", "code": "invalid_api_key"}}
    sandbox.answer_next("models", Answer("echo", 401, body, {"x-echo": KEY}) if answer == "echo" else answer)
    with pytest.raises((KeyRefusedError, KeyUncheckedError)) as failure:
        keep_key(store, KEY, plan="coding-intl", api_base=sandbox.api_base)
    told = traceback.TracebackException.from_exception(failure.value, capture_locals=True)
    ours = [frame for frame in told.stack if "litellm_qwen_ai" in frame.filename]
    shown = [str(failure.value), repr(failure.value), *(str(frame.locals) for frame in ours)]
    assert len(ours) >= 2
    assert all(no_piece(text) for text in shown)
