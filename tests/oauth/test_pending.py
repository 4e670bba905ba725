from __future__ import annotations

import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.errors import (
    ConfigurationError,
    LoginCancelledError,
    LoginDeniedError,
    LoginError,
    LoginNotStartedError,
    LoginRefusedError,
    LoginTimedOutError,
    StoreError,
)
from litellm_qwen_ai.oauth.pending import (
    PendingLogin,
    _Note,
    cancel_login,
    pending_login,
    poll_login,
    start_login,
)
from litellm_qwen_ai.oauth.transport import httpx_poster
from litellm_qwen_ai.sandbox import Sandbox
from litellm_qwen_ai.stores.files import disk as files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from litellm_qwen_ai.stores.files.login import FileStore

HERE = Path(__file__).parent
LOCKS = {"oauth_creds.json.lock", "oauth_creds.json.pending.lock"}


@pytest.fixture
def sandbox(clock: Any) -> Iterator[Sandbox]:
    with Sandbox(clock=clock.time, interval=5) as running:
        yield running


@pytest.fixture
def start(sandbox: Sandbox, store: FileStore, clock: Any) -> Callable[..., PendingLogin]:
    def run(**changes: Any) -> PendingLogin:
        return start_login(store, **{"oauth_base_url": sandbox.url, "clocks": clock.clocks, **changes})

    return run


@pytest.fixture
def poll(store: FileStore, clock: Any) -> Callable[..., PendingLogin | Credentials]:
    def run(**changes: Any) -> PendingLogin | Credentials:
        return poll_login(store, **{"clocks": clock.clocks, **changes})

    return run


def beside(store: FileStore) -> set[str]:
    return {path.name for path in store.path.parent.iterdir()}


def test_a_started_login_is_finished_after_the_approval(
    start: Any, poll: Any, sandbox: Sandbox, store: FileStore, clock: Any
) -> None:
    started = start()
    assert sandbox.pending_codes() == [started.user_code]
    assert pending_login(store, clocks=clock.clocks) == started
    clock.pass_time(5)
    waiting = poll()
    assert (waiting.state, waiting.user_code) == ("waiting", started.user_code)
    sandbox.approve(started.user_code)
    clock.pass_time(5)
    login = poll()
    stored = store.look()
    assert stored is not None
    assert stored.credentials == login
    assert sandbox.accepts(login.access_token)
    assert pending_login(store) is None
    assert beside(store) == {"oauth_creds.json", *LOCKS}


def test_what_is_saved_is_for_its_owner_only(start: Any, store: FileStore) -> None:
    start()
    saved = store.path.with_name("oauth_creds.json.pending")
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert stat.S_IMODE(saved.parent.stat().st_mode) == 0o700


def test_people_and_logs_see_no_secret_of_it(start: Any, store: FileStore, clock: Any) -> None:
    started = start()
    secrets = [started.device_code, started.code_verifier]
    assert all(secrets)
    told = f"{started!r} {started} {pending_login(store, clocks=clock.clocks)!r}"
    assert not [secret for secret in secrets if secret in told]
    assert started.user_code in told


def test_a_poll_too_early_is_not_sent(start: Any, poll: Any, sandbox: Sandbox, clock: Any) -> None:
    start()
    for passed in (0, 4.9, 0.1, 0, 4.9):
        clock.pass_time(passed)
        assert poll().state == "waiting"
    assert sandbox.counts.polls == 1


def test_slow_down_counts_for_every_process(start: Any, poll: Any, sandbox: Sandbox, clock: Any) -> None:
    start()
    sandbox.answer_next("token", "slow_down")
    clock.pass_time(5)
    assert poll().interval == pytest.approx(10)
    clock.pass_time(9)
    poll()
    assert sandbox.counts.polls == 1
    clock.pass_time(1)
    poll()
    assert sandbox.counts.polls == 2


def test_a_busy_server_is_left_alone_as_long_as_it_asks(
    start: Any, poll: Any, sandbox: Sandbox, clock: Any
) -> None:
    start()
    sandbox.answer_next("token", "throttled")  # Retry-After: 7
    clock.pass_time(5)
    assert "HTTP 429" in poll().message
    clock.pass_time(6)
    poll()
    assert sandbox.counts.polls == 1
    clock.pass_time(1)
    assert poll().message is None
    assert sandbox.counts.polls == 2


def test_a_clock_that_was_set_back_does_not_stop_the_polls(
    start: Any, poll: Any, sandbox: Sandbox, clock: Any
) -> None:
    start()
    clock.pass_time(5)
    poll()
    clock.pass_time(-3600)
    poll()
    assert sandbox.counts.polls == 2


@pytest.mark.parametrize(
    ("answer", "state", "error"),
    [
        ("access_denied", "denied", LoginDeniedError),
        ("expired_token", "expired", LoginTimedOutError),
        ("invalid_grant", "refused", LoginRefusedError),
        ("unauthorized", "refused", LoginRefusedError),
    ],
)
def test_every_process_learns_how_it_ended(  # noqa: PLR0913, PLR0917  # a test's fixtures
    start: Any,
    poll: Any,
    sandbox: Sandbox,
    store: FileStore,
    clock: Any,
    answer: str,
    state: str,
    error: type[LoginError],
) -> None:
    started = start()
    sandbox.answer_next("token", answer)
    clock.pass_time(5)
    with pytest.raises(error) as first:
        poll()
    with pytest.raises(error) as second:
        poll()
    assert str(first.value) == str(second.value)
    ended = pending_login(store, clocks=clock.clocks)
    assert ended is not None
    assert (ended.state, ended.message) == (state, str(first.value))
    saved = store.path.with_name("oauth_creds.json.pending").read_text(encoding="utf-8")
    assert started.device_code not in saved
    assert started.code_verifier not in saved
    assert store.look() is None
    assert sandbox.counts.polls == 1


def test_a_code_that_nobody_approves_ends_without_asking_again(
    start: Any, poll: Any, sandbox: Sandbox, store: FileStore, clock: Any
) -> None:
    start()
    sandbox.answer_next("token", "html_504")
    clock.pass_time(5)
    poll()
    clock.pass_time(900)
    seen = pending_login(store, clocks=clock.clocks)
    assert seen is not None
    assert seen.state == "expired"
    with pytest.raises(LoginTimedOutError, match=r"Nobody approved.*HTTP 504 with a web page.*2026-04-15"):
        poll()
    assert sandbox.counts.polls == 1
    clock.now -= 900  # noted: it does not live again when a clock is set back
    assert pending_login(store, clocks=clock.clocks) == seen
    assert b'"device_code":""' in (store.note() or b"")


def test_a_started_login_is_shown_again_instead_of_a_new_one(
    start: Any, sandbox: Sandbox, clock: Any
) -> None:
    first = start()
    clock.pass_time(800)
    assert start() == first
    assert sandbox.counts.device_codes == 1
    clock.pass_time(50)  # less than a minute is left
    assert start().user_code != first.user_code
    assert start(anew=True).user_code != start(anew=True).user_code


def test_a_login_that_joins_one_that_waits_says_for_how_long_it_has_waited(start: Any, clock: Any) -> None:
    before = start()
    clock.sleep(60)
    joined, now = start(), clock.time()
    assert joined.code(now, before).waited == pytest.approx(60)
    assert joined.code(joined.started_at - 1, before).waited == 0
    assert joined.code(now).waited is None
    assert joined.code(now, replace(before, device_code="another")).waited is None


def test_a_started_login_at_another_server_is_not_this_one(start: Any, clock: Any) -> None:
    first = start()
    with Sandbox(clock=clock.time) as other:
        second = start(oauth_base_url=other.url)
        assert other.pending_codes() == [second.user_code]
    assert second.user_code != first.user_code


def test_of_two_that_start_at_once_both_show_the_first(start: Any, sandbox: Sandbox) -> None:
    others: list[PendingLogin] = []

    def slow(request: Any, timeout: float) -> Any:
        answer = httpx_poster(request, timeout)
        others.append(start())
        return answer

    assert start(poster=slow) == others[0]
    assert len(sandbox.pending_codes()) == 2


def test_a_new_start_follows_one_that_ended(start: Any, poll: Any, sandbox: Sandbox, clock: Any) -> None:
    first = start()
    sandbox.deny(first.user_code)
    clock.pass_time(5)
    with pytest.raises(LoginDeniedError):
        poll()
    assert start().state == "waiting"


def test_without_a_started_login_the_command_is_named(poll: Any) -> None:
    with pytest.raises(LoginNotStartedError, match="litellm-qwen-ai login --start"):
        poll()


def test_a_cancelled_login_is_forgotten(start: Any, poll: Any, store: FileStore) -> None:
    assert not cancel_login(store)
    assert not store.path.parent.exists()
    start()
    assert cancel_login(store)
    assert not cancel_login(store)
    assert pending_login(store) is None
    with pytest.raises(LoginNotStartedError):
        poll()


@pytest.mark.parametrize("answer", [None, "authorization_pending", "access_denied"])
def test_a_login_cancelled_while_the_server_is_asked_is_not_kept(  # noqa: PLR0913, PLR0917  # a test's fixtures
    start: Any, poll: Any, sandbox: Sandbox, store: FileStore, clock: Any, answer: str | None
) -> None:
    started = start()
    sandbox.approve(started.user_code)
    if answer:
        sandbox.answer_next("token", answer)
    clock.pass_time(5)

    def post(request: Any, timeout: float) -> Any:
        cancel_login(store)
        return httpx_poster(request, timeout)

    with pytest.raises(LoginCancelledError if answer != "access_denied" else LoginDeniedError):
        poll(poster=post)
    assert store.look() is None
    assert beside(store) == LOCKS


def test_only_one_process_asks_at_a_time(start: Any, poll: Any, sandbox: Sandbox, clock: Any) -> None:
    start()
    clock.pass_time(5)
    seen: list[Any] = []

    def post(request: Any, timeout: float) -> Any:
        clock.pass_time(20)  # a server that takes its time
        seen.append(poll())
        return httpx_poster(request, timeout)

    poll(poster=post)
    assert [one.state for one in seen] == ["waiting"]
    assert sandbox.counts.polls == 1


def test_a_process_that_died_while_it_asked_does_not_stop_the_others(
    start: Any, poll: Any, sandbox: Sandbox, clock: Any
) -> None:
    started = start()
    clock.pass_time(5)

    def die(_request: Any, _timeout: float) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        poll(poster=die)
    sandbox.approve(started.user_code)
    clock.pass_time(34)
    assert poll().state == "waiting"
    clock.pass_time(1)
    assert isinstance(poll(), Credentials)


def test_no_network_decides_nothing(start: Any, poll: Any, sandbox: Sandbox, clock: Any) -> None:
    started = start()
    clock.pass_time(5)

    def unplugged(_request: Any, _timeout: float) -> Any:
        raise OSError("the network is gone")

    assert "the network is gone" in poll(poster=unplugged).message
    sandbox.approve(started.user_code)
    clock.pass_time(5)
    assert isinstance(poll(), Credentials)


@pytest.mark.parametrize(
    "content", [b"", b"[]", b'{"format": 2}', b'{"format": 1, "state": 7}', b"\xff", b"[" * 100_000]
)
def test_what_is_no_started_login_is_none_and_is_replaced(
    start: Any, store: FileStore, content: bytes
) -> None:
    files.make_folder(store.path.parent)
    saved = store.path.with_name("oauth_creds.json.pending")
    saved.write_bytes(content)
    saved.chmod(0o600)
    assert pending_login(store) is None
    assert start().state == "waiting"


def test_a_started_login_that_others_can_change_is_not_trusted(
    start: Any, poll: Any, store: FileStore
) -> None:
    start()
    store.path.with_name("oauth_creds.json.pending").chmod(0o666)
    with pytest.raises(StoreError, match="can be written by other users"):
        pending_login(store)
    with pytest.raises(StoreError):
        poll()


def test_a_store_that_cannot_be_written_is_noticed_before_a_code_is_asked_for(
    start: Any, sandbox: Sandbox, store: FileStore
) -> None:
    store.path.mkdir(parents=True)
    with pytest.raises(StoreError, match="no regular file"):
        start()
    assert sandbox.requests == []


def test_a_server_that_no_token_may_go_to_is_refused(start: Any) -> None:
    with pytest.raises(ConfigurationError):
        start(oauth_base_url="http://chat.qwen.ai")


def test_a_login_that_cannot_start_leaves_nothing_pending(
    start: Any, sandbox: Sandbox, store: FileStore
) -> None:
    sandbox.answer_next("device", "captcha_html")
    with pytest.raises(LoginRefusedError, match="captcha"):
        start()
    assert beside(store) <= LOCKS


def test_the_end_without_words_still_says_what_to_do(start: Any) -> None:
    with pytest.raises(LoginRefusedError, match="Start again"):
        replace(start(), state="refused").raise_end()


def test_processes_that_poll_at_once_finish_one_login(store: FileStore) -> None:
    with Sandbox(interval=0.1) as sandbox:
        started = start_login(store, oauth_base_url=sandbox.url)
        sandbox.approve(started.user_code)
        code = (
            "import sys; from pathlib import Path\n"
            "from litellm_qwen_ai.oauth import FileStore, LoginNotStartedError, PendingLogin, poll_login\n"
            "store = FileStore(Path(sys.argv[1]))\n"
            "try:\n"
            "    while isinstance(poll_login(store), PendingLogin): pass\n"
            "    print('finished')\n"
            "except LoginNotStartedError: print('finished elsewhere')\n"
        )
        runners = [
            subprocess.Popen(
                [sys.executable, "-c", code, str(store.path.parent)], stdout=subprocess.PIPE, text=True
            )
            for _ in range(3)
        ]
        said = sorted(runner.communicate(timeout=60)[0].strip() for runner in runners)
        assert said == ["finished", "finished elsewhere", "finished elsewhere"]
        assert sandbox.counts.logins == 1
    assert store.look() is not None
    assert pending_login(store) is None


def test_a_note_in_a_traceback_shows_nothing_of_itself() -> None:
    assert repr(_Note(b"device-secret")) == "b'***'"
