from __future__ import annotations

import json
import math
import pickle
import string
import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_qwen_ai.chat.wire import chat_url
from litellm_qwen_ai.oauth.credentials import Credentials
from litellm_qwen_ai.oauth.door import StoredCredentials
from litellm_qwen_ai.oauth.errors import ConfigurationError, CorruptCredentialsError
from litellm_qwen_ai.oauth.memory import Held
from litellm_qwen_ai.oauth.urls import checked_url, is_loopback, leads_here, own_base, own_url
from litellm_qwen_ai.plans import PLANS

SECRET = "s3cret-" + "x" * 20
tokens = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=80)
secret_tokens = st.text(string.ascii_letters + string.digits, min_size=12, max_size=40).map("tk_".__add__)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
unknown_keys = st.dictionaries(
    st.text(min_size=1).filter(lambda name: name not in Credentials.model_fields), json_values, max_size=4
)


def a_login(**changes: Any) -> dict[str, Any]:
    return {
        "access_token": SECRET,
        "refresh_token": SECRET + "-r",
        "expiry_date": 1_800_000_000_000,
        **changes,
    }


@given(
    access=tokens,
    refresh=st.none() | tokens,
    expiry=st.integers(0, 253_402_300_799_000),
    scope=st.none() | st.text(),
    unknown=unknown_keys,
)
def test_what_is_written_is_read_back_with_unknown_keys(
    access: str, refresh: str | None, expiry: int, scope: str | None, unknown: dict[str, Any]
) -> None:
    login = Credentials(
        access_token=access, refresh_token=refresh, expiry_date=expiry, scope=scope, **unknown
    )
    again = Credentials.from_json(login.to_json())
    assert again == login
    assert again.model_extra == unknown


@given(data=st.binary(max_size=200) | json_values.map(lambda value: json.dumps(value).encode()))
def test_any_bytes_are_credentials_or_a_clear_error(data: bytes) -> None:
    fault = login = None
    try:
        login = Credentials.from_json(data)
    except CorruptCredentialsError as error:
        fault = error
    if login is not None:
        assert Credentials.from_json(login.to_json()) == login
    else:
        assert str(fault).startswith("not a credentials file: ")
        assert fault is not None
        assert fault.__context__ is None


@given(access=secret_tokens, refresh=secret_tokens, identity=secret_tokens)
def test_no_secret_in_repr_or_str(access: str, refresh: str, identity: str) -> None:
    login = Credentials(access_token=access, refresh_token=refresh, id_token=identity, other=access)
    shown = f"{login!r} {login} {[login]} {list(login.__rich_repr__())}"
    assert not [secret for secret in (access, refresh, identity) if secret in shown]


@pytest.mark.parametrize(("refresh", "shown"), [(SECRET, "'***'"), (None, "None")])
def test_a_repr_tells_whether_there_is_a_refresh_token(refresh: str | None, shown: str) -> None:
    login = Credentials(**a_login(refresh_token=refresh, expiry_date=1_800_000_000_000))
    assert f"refresh_token={shown}, expires='2027-01-15T08:00:00+00:00'" in repr(login)


@given(
    secret=secret_tokens,
    fault=st.sampled_from(
        ["access_token", "refresh_token", "expiry_date", "token_type", "scope", "id_token"]
    ),
    cut=st.booleans(),
)
def test_no_secret_in_an_error_about_a_bad_file(secret: str, fault: str, cut: bool) -> None:
    text = json.dumps({"access_token": secret, "refresh_token": secret, fault: [secret, secret + "\n"]})
    with pytest.raises(CorruptCredentialsError) as caught:
        Credentials.from_json(text.encode()[: -2 if cut else None])
    told = "".join(traceback.format_exception(caught.value)) + repr(pickle.dumps(caught.value))
    assert secret not in told


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "it is empty"),
        (b"  \n", "it is empty"),
        (b"{", "line 1, column 2"),
        (b"[]", "a JSON object is expected"),
        (b"null", "a JSON object is expected"),
        (b"\xff\xfe\xfd", "it is not UTF-8 text"),
        (b'{"access_token": "a", "x": NaN}', "a number is too large, or is none"),
        (b'{"access_token": "a", "x": [1e999]}', "a number is too large"),
        (b'{"access_token": "a", "x": ' + b"1" * 5000 + b"}", "a number is too large"),
        (b'{"access_token": "a", "expiry_date": Infinity}', "is no finite number"),
        (b'{"access_token": "a", "x": ' + b"[" * 60 + b"]" * 60 + b"}", "it is nested too deeply"),
        (b"[" * 100_000, "it is nested too deeply"),
        (b'{"refresh_token": "r"}', "access_token: Field required"),
        (b'{"access_token": ""}', "access_token: Value error, is empty"),
        (b'{"access_token": "a\\r\\nHost: evil"}', "access_token: Value error"),
        (b'{"access_token": "a", "refresh_token": "r r"}', "refresh_token: Value error"),
        (b'{"access_token": 7}', "access_token: Input should be a valid string"),
        (b'{"access_token": "a", "expiry_date": "soon"}', "is no number of milliseconds"),
        (b'{"access_token": "a", "expiry_date": true}', "is no number of milliseconds"),
    ],
)
def test_a_bad_file_is_refused_with_the_reason(data: bytes, told: str) -> None:
    with pytest.raises(CorruptCredentialsError) as caught:
        Credentials.from_json(data)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("written", "read"),
    [(None, 0), (-5, 0), (1_800_000_000_000.75, 1_800_000_000_000), (10**30, 253_402_300_799_000)],
)
def test_an_odd_expiry_is_brought_into_range(written: Any, read: int) -> None:
    login = Credentials.from_json(json.dumps(a_login(expiry_date=written)).encode())
    assert login.expiry_date == read


def test_a_missing_expiry_counts_as_dead() -> None:
    assert Credentials.from_json(b'{"access_token": "a"}').seconds_left(now=1.0) == -1.0


def test_an_empty_refresh_token_is_none() -> None:
    assert Credentials.from_json(b'{"access_token": "a", "refresh_token": ""}').refresh_token is None


def test_seconds_left_counts_from_the_given_time() -> None:
    assert Credentials(**a_login()).seconds_left(1_799_999_990.5) == 9.5


def test_the_file_of_qwen_code_can_be_carried_over() -> None:
    text = json.dumps(a_login(token_type="Bearer", resource_url="portal.qwen.ai"), indent=2)
    assert json.loads(Credentials.from_json(text.encode()).to_json()) == json.loads(text)


@pytest.mark.parametrize(
    ("resource_url", "base"),
    [
        ("portal.qwen.ai", "https://portal.qwen.ai/v1"),
        ("portal.qwen.ai/", "https://portal.qwen.ai/v1"),
        ("https://portal.qwen.ai/v1", "https://portal.qwen.ai/v1"),
        ("https://portal.qwen.ai/v1///", "https://portal.qwen.ai/v1"),
        (
            "https://dashscope.aliyuncs.com/compatible-mode",
            "https://dashscope.aliyuncs.com/compatible-mode/v1",
        ),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080/v1"),
        ("http://[::1]:8080", "http://[::1]:8080/v1"),
        ("http://localhost:8080/v1", "http://localhost:8080/v1"),
        ("127.0.0.1:8080", "https://127.0.0.1:8080/v1"),
        ("https://8.8.8.8", "https://8.8.8.8/v1"),
        ("https://[2606:4700::1]", "https://[2606:4700::1]/v1"),
        (None, None),
        ("", None),
    ],
)
def test_the_base_url_comes_from_resource_url(resource_url: str | None, base: str | None) -> None:
    assert Credentials(**a_login(resource_url=resource_url)).api_base == base


@pytest.mark.parametrize(
    ("resource_url", "told"),
    [
        ("http://portal.qwen.ai", "plain http to another machine"),
        ("http://10.0.0.7/v1", "plain http to another machine"),
        ("http://127.0.0.1.evil.example", "plain http to another machine"),
        ("https://user:pass@portal.qwen.ai", "user name or password"),
        ("portal.qwen.ai@evil.example", "user name or password"),
        ("ftp://portal.qwen.ai", "not of the form"),
        ("https://", "not of the form"),
        ("https://portal.qwen.ai/?next=", "query or a fragment"),
        ("https://portal.qwen.ai/#v1", "query or a fragment"),
        ("https://portal.qwen.ai\r\nHost: evil", "characters that no URL has"),
        ("https://portal.qwen.ai\\@evil.example", "characters that no URL has"),
        ("https://portal.qwen.ai:99999", "it is no URL"),
        ("https://10.0.0.7/v1", "no public address"),
        ("192.168.1.1", "no public address"),
        ("169.254.169.254", "no public address"),
        ("https://100.64.0.1", "no public address"),
        ("https://0.0.0.0", "no public address"),
        ("https://224.0.0.1", "no public address"),
        ("https://10.1", "no public address"),
        ("https://0x0a000001", "no public address"),
        ("https://167772161", "no public address"),
        ("https://[fc00::1]", "no public address"),
        ("https://[fe80::1]", "no public address"),
        ("https://[::ffff:10.0.0.7]", "no public address"),
        ("https://[64:ff9b::a00:7]", "no public address"),  # NAT64 of 10.0.0.7
        ("https://[64:ff9b::808:808]", "no public address"),
        ("https://[2002:a00:7::1]", "no public address"),  # 6to4
        ("https://[::10.0.0.7]", "no public address"),  # IPv4 inside IPv6, the old way
        ("https://[fec0::1]", "no public address"),
        ("https://[3fff::1]", "no public address"),
        ("https://[2001:db8::1]", "no public address"),
        ("https://192.0.0.8", "no public address"),
        ("https://192.88.99.1", "no public address"),
        ("https://[::1", "it is no URL"),
    ],
)
def test_a_hostile_resource_url_is_refused(resource_url: str, told: str) -> None:
    login = Credentials(**a_login(resource_url=resource_url))
    with pytest.raises(ConfigurationError) as caught:
        _ = login.api_base
    assert told in str(caught.value)
    assert "pass" not in str(caught.value).replace("password", "")


# --- a key instead of a login ---

keys = st.builds(
    Credentials,
    access_token=tokens,
    plan=st.sampled_from(["custom", *(plan.name for plan in PLANS)]),
    resource_url=st.sampled_from(["http://10.0.0.7:8000/v1", *(plan.base_url for plan in PLANS)]),
)
#: What an older version, Qwen Code, or a hand may have left under our name.
plans = st.sampled_from(["custom", "coding-intl", "Pro Plan", ""]) | json_values


@given(key=keys, unknown=unknown_keys)
def test_a_key_is_read_back_as_one_and_never_ends(key: Credentials, unknown: dict[str, Any]) -> None:
    again = Credentials.from_json(key.model_copy(update=unknown).to_json())
    assert again.is_key
    assert again.plan == key.plan
    assert again.access_token == key.access_token
    assert again.api_base == key.resource_url
    assert again.seconds_left(4e12) == math.inf
    assert again.model_extra == unknown


@given(
    access=tokens,
    refresh=st.none() | tokens,
    expiry=st.integers(0, 253_402_300_799_000),
    resource=st.none() | st.sampled_from(["portal.qwen.ai", "http://10.0.0.7/v1", ""]),
    plan=plans,
)
def test_what_can_be_renewed_or_ends_is_never_taken_for_a_key(
    access: str, refresh: str | None, expiry: int, resource: str | None, plan: Any
) -> None:
    if refresh is None and expiry == 0:
        expiry = 1
    written = {
        "access_token": access,
        "refresh_token": refresh,
        "expiry_date": expiry,
        "resource_url": resource,
        "plan": plan,
    }
    read = Credentials.from_json(json.dumps(written).encode())
    assert not read.is_key
    assert read.plan == plan  # kept as it is
    assert read.seconds_left(0) == expiry / 1000


@given(unknown=unknown_keys)
def test_a_file_without_a_plan_is_a_login(unknown: dict[str, Any]) -> None:
    old = {"access_token": SECRET, "resource_url": "portal.qwen.ai", **unknown}
    assert not Credentials.from_json(json.dumps(old).encode()).is_key


@pytest.mark.parametrize("fault", [{"plan": "Not A Name"}, {"plan": 7}, {"plan": None}, {"resource_url": ""}])
def test_a_key_names_its_plan_and_its_address(fault: dict[str, Any]) -> None:
    key = {"access_token": SECRET, "plan": "custom", "resource_url": "http://10.0.0.7/v1"}
    assert Credentials(**key).is_key
    assert not Credentials(**{**key, **fault}).is_key


def test_a_login_may_not_name_what_a_key_may() -> None:
    known = {"access_token": SECRET, "resource_url": "http://10.0.0.7/v1"}
    assert Credentials(**known, plan="custom").api_base == "http://10.0.0.7/v1"
    with pytest.raises(ConfigurationError):
        assert Credentials(**known).api_base


def test_no_key_in_repr_or_str() -> None:
    key = Credentials(access_token=SECRET, plan="coding-intl", resource_url="https://x.example/v1")
    assert "coding-intl" in repr(key)
    assert not [shown for shown in (repr(key), str(key)) if SECRET[:8] in shown]


@pytest.mark.parametrize(
    ("typed", "base"),
    [
        ("https://gateway.example/v1/", "https://gateway.example/v1"),
        ("gateway.example", "https://gateway.example/v1"),
        ("localhost:8000", "http://localhost:8000/v1"),
        ("http://10.0.0.7:8000", "http://10.0.0.7:8000/v1"),
        (" http://vllm:8000/v1/chat/completions ", "http://vllm:8000/v1"),
        ("dashscope-intl.aliyuncs.com", "https://dashscope-intl.aliyuncs.com/compatible-mode/v1"),
        ("https://dashscope.aliyuncs.com/api/v1/", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
    ],
)
def test_a_keys_address_is_read_as_a_call_reads_it(typed: str, base: str) -> None:
    assert own_base(typed) == own_base(base) == base
    assert chat_url(typed) == chat_url(base) or "dashscope" in typed


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("https://me:pw@gateway.example", "user name or password"),
        ("ftp://gateway.example", "not of the form"),
        ("https://gateway.example/v1?key=1", "query"),
        ("https://", "not of the form"),
        ("", "not of the form"),
        ("a b", "characters"),
    ],
)
def test_what_is_no_address_for_a_key_is_said(typed: str, told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as failure:
        own_base(typed)
    assert "pw" not in str(failure.value)


def test_a_login_pickled_before_there_were_plans_is_read() -> None:
    credentials = Credentials(access_token="a", refresh_token="r", note="mine")
    state = credentials.__getstate__()
    del state["__dict__"]["plan"]
    old = Credentials.__new__(Credentials)
    old.__setstate__(state)
    assert "access_token" in repr(old)
    assert old.is_key is False
    assert old == pickle.loads(pickle.dumps(credentials))  # noqa: S301  # our own


# --- which addresses a token may travel to ---

_FORM = "is not of the form https://host"


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("ftp://h/x", f"'ftp://h/x' {_FORM}"),
        ("https:///x", f"'https:///x' {_FORM}"),
        ("h", f"'h' {_FORM}"),
        ("http://h/x", "'http://h/x' is plain http to another machine; only https is allowed there"),
        ("https://h/?key=hidden", "what follows https://h has a query or a fragment"),
        ("http://127.0.0.1/#hidden", "what follows http://127.0.0.1 has a query or a fragment"),
        ("https://hidden@h", "it holds a user name or password"),
        ("https://h:99999", "it is no URL"),
        ("https://h\\x", "it holds characters that no URL has"),
        ("https://h/é", "it holds characters that no URL has"),
        ("https://h/\t", "it holds characters that no URL has"),
        ("https://h /", "it holds characters that no URL has"),
        ('"https://h"', "it stands in quotes"),
    ],
)
def test_an_address_that_no_token_may_go_to_says_why(url: str, fault: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked_url(url, "The address")
    assert str(caught.value) == f"The address cannot be used: {fault}."
    if "plain http" not in fault:
        with pytest.raises(ConfigurationError) as caught:
            own_url(url)
        assert str(caught.value) == f"The key's base URL cannot be used: {fault}."
        with pytest.raises(ConfigurationError) as caught:
            own_url(url, "The address")
        assert str(caught.value) == f"The address cannot be used: {fault}."


def test_a_login_that_leads_into_ones_own_network_names_the_way_around() -> None:
    with pytest.raises(ConfigurationError) as caught:
        _ = Credentials(**a_login(resource_url="10.0.0.7:8000")).api_base
    assert str(caught.value) == (
        "the login's resource_url cannot be used: '10.0.0.7' is no public address. If it "
        "is right all the same, "
        "set QWEN_API_BASE to it."
    )


@pytest.mark.parametrize(
    ("host", "loopback", "here"),
    [
        ("localhost", True, True),
        ("LOCALHOST", True, True),
        ("localhost.", False, True),
        ("a.localhost", False, True),
        ("127.0.0.1", True, True),
        ("127.255.0.9", True, True),
        ("126.0.0.1", False, False),
        ("::1", True, True),
        ("::ffff:127.0.0.1", True, True),
        ("::2", False, False),
        ("localhost.example", False, False),
        ("", False, False),
    ],
)
def test_this_machine_is_known_by_its_names_and_addresses(host: str, loopback: bool, here: bool) -> None:
    assert is_loopback(host) is loopback
    shown = f"[{host}]" if ":" in host else host
    assert leads_here(f"{shown}:80") is leads_here(f"http://{shown}/v1") is here
    assert not leads_here("http://[::1")


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("10.example", True),
        ("1.2.3.4.", False),
        ("8.8.8.8", True),
        ("[2001:4860:4860::8888]", True),
        ("[2002:808:808::1]", False),
        ("192.0.1.1", True),
        ("192.0.0.255", False),
        ("192.88.98.1", True),
        ("192.88.99.255", False),
        ("[::ffff:8.8.8.8]", True),
        ("[ff0e::1]", False),
        ("224.0.1.1", False),
    ],
)
def test_a_public_address_is_told_from_one_of_a_network_of_ones_own(host: str, public: bool) -> None:
    login = Credentials(**a_login(resource_url=host))
    if public:
        assert login.api_base == f"https://{host}/v1"
    else:
        with pytest.raises(ConfigurationError, match="no public address"):
            _ = login.api_base


# --- when a token is due ---


@pytest.mark.parametrize(
    ("lifetime", "renew", "wait"),
    [
        (None, 900, 30),
        (21_600.0, 900, 30),
        (4_500.0, 900, 30),
        (1_000.0, 200, 20),
        (60.0, 12, 1.2),
        (0.0, 0, 0),
        (-5.0, 0, 0),
    ],
)
def test_a_token_is_due_before_its_end_and_sooner_if_it_lives_long(
    lifetime: float | None, renew: float, wait: float
) -> None:
    end = 1_800_000_000.0
    login = Credentials(**a_login(expiry_date=int(end * 1000)))
    stored = StoredCredentials(login, 1, None if lifetime is None else end - lifetime)
    held = Held.of(stored, "another")
    assert (held.stored, held.credentials) == (stored, login)
    assert (held.renew_at, held.wait_at, held.dies_at) == pytest.approx((end - renew, end - wait, end))
    refused = Held.of(stored, login.access_token)
    assert (refused.renew_at, refused.wait_at, refused.dies_at) == (-math.inf,) * 3
    assert refused.stored is stored


def test_a_key_is_never_due_whatever_a_server_said_of_it() -> None:
    key = Credentials(access_token="k", plan="custom", resource_url="https://h/v1")
    held = Held.of(StoredCredentials(key, 1, 0.0), "k")
    assert (held.credentials, held.renew_at, held.wait_at, held.dies_at) == (key, *(math.inf,) * 3)
