from __future__ import annotations

from pathlib import Path

import pytest

from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.place import place_of
from litellm_qwen_ai.stores.redis.address import address_of
from tests.networks import Authority
from tests.valkey import KEY, Valkey


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("redis://db.example", "redis://db.example:6379/0"),
        ("redis://:secret-pass@db.example:7000/3", "redis://db.example:7000/3"),
        ("redis://user:secret%2Fpass@db.example", "redis://db.example:6379/0"),
        ("rediss://user:secret-pass@10.0.0.5", "rediss://10.0.0.5:6379/0"),
        ("redis://[::1]:7000", "redis://[::1]:7000/0"),
        ("unix:///run/valkey.sock?password=secret-pass", "unix:///run/valkey.sock"),
        (
            "redis+sentinel://user:secret-pass@a:26379,b/mymaster/2?sentinel_password=secret-too",
            "redis+sentinel://a:26379,b:26379/mymaster/2",
        ),
        ("rediss+sentinel://a/mymaster", "rediss+sentinel://a:26379/mymaster/0"),
        ("redis://:secret@pass@db.example", "redis://db.example:6379/0"),
        ("redis://db.example?db=2&password=secret", "redis://db.example:6379/2"),
        ("unix://:secret%2Fpass@/run/valkey.sock", "unix:///run/valkey.sock"),
        ("unix:///run/user@1000/valkey.sock", "unix:///run/user@1000/valkey.sock"),
    ],
)
def test_an_address_is_shown_without_its_password(text: str, shown: str) -> None:
    found = address_of(text, {})
    assert found.shown == shown
    assert "secret" not in repr(found)


#: Before what ends the part of an address in which a password stands: digits could be taken for a port.
_RAW = [f"12{char}secret" for char in "/?#"] + ["secret/pass", "sec?ret", "sec#ret", "[secret", "12/secret@x"]
_FORMS = ["redis://user:{}@db.example:1/0", "rediss://user:{}@db.example/2", "unix://user:{}@/run/x.sock"]


@pytest.mark.parametrize("text", ['"redis://u:secret@db.example"', "'rediss://db.example'"])
def test_an_address_in_quotes_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^QWEN_STORE stands in quotes\. Give") as raised:
        address_of(text, {})
    assert "db.example" not in str(raised.value)
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    "text",
    [
        *(form.format(password) for form in _FORMS for password in _RAW),
        *(f"redis+sentinel://user:{password}@db.example:1/mymaster/0" for password in _RAW),
        *(f"redis+sentinel://db.example/mymaster?sentinel_password={password}@x" for password in _RAW),
        "db.example:6379",
        "http://db.example",
        "redis://",
        "redis://db.example/first",
        "redis://a,b",
        "redis://db.example:secret",
        "redis://db.example:99999",
        "redis+sentinel://a:26379",
        "redis+sentinel:///mymaster",
        "unix://",
        "unix://db.example",
        "unix://run/valkey.sock",
        "redis://db.example#secret",
    ],
)
def test_what_is_no_address_is_told_in_one_sentence_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"QWEN_STORE is no address") as raised:
        address_of(text, {})
    said = str(raised.value)
    assert not [one for one in ("secret", "sec", "12", "db.example") if one in said]
    assert "percent-encoded (@ is %40, / is %2F" in said
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    "option",
    [
        "decode_responses=true",
        "protocol=3",
        "encoding=utf-16",
        "single_connection_client=true",
        "health_check_interval=nonsense",
        "retry=1",
        "retry_on_error=x",
        "socket_timeout=0.000001",
        "max_connections=0",
        "client_name=a b",
        "legacy_responses=false",
    ],
)
def test_an_option_about_what_is_ours_to_decide_changes_nothing(
    option: str, tmp_path: Path, own: Valkey
) -> None:
    url = f"redis://127.0.0.1:{own.port}/0?{option}"
    store = place_of(Settings(str(tmp_path), store=url, store_key=KEY)).login("alice")
    store.swap_note(None, b"note")
    assert store.note() == b"note"
    assert store.look() is None


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("db=x", "db is no number"),
        ("db=-1", "db is no number"),
        ("nonsense=1", "'nonsense'"),
        ("credential_provider=x", "'credential_provider'"),
        ("password=secret&secret-too=1", "knows no option of its options"),
        ("ssl_ca_certs=/etc/ca.pem", "ssl_ca_certs needs TLS, which is rediss://"),
    ],
)
@pytest.mark.parametrize("form", ["redis://a", "redis+sentinel://a/mymaster", "unix:///a"])
def test_an_option_that_cannot_be_used_is_named(option: str, says: str, form: str) -> None:
    with pytest.raises(ConfigurationError, match=says) as raised:
        address_of(f"{form}?{option}", {})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("ssl_ca_certs={}/nowhere", "ssl_ca_certs names no file with certificates"),
        ("ssl_ca_certs={}/empty", "ssl_ca_certs names no file with certificates"),
        ("ssl_certfile={}/nowhere", "ssl_certfile names no file that can be read"),
        ("ssl_cert_reqs=nonsense", "ssl_cert_reqs is neither none"),
    ],
)
def test_an_option_of_tls_that_cannot_be_used_is_named(option: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(ConfigurationError, match=says):
        address_of("rediss://a?" + option.format(tmp_path), {})


@pytest.mark.parametrize("more", ["&ssl_cert_reqs=none", "&ssl_check_hostname=false"])  # not its name
def test_a_server_is_reached_by_tls(more: str, tmp_path: Path, own: Valkey) -> None:
    authority = Authority(tmp_path)
    with authority.in_front_of(own.port) as port:
        url = f"rediss://127.0.0.1:{port}?ssl_ca_certs={authority.file}{more}"
        assert place_of(Settings(str(tmp_path), store=url, store_key=KEY)).login(None).look() is None


@pytest.mark.parametrize(
    ("environment", "shown"),
    [
        ({"REDIS_URL": "redis://:secret@a:1/2", "REDIS_HOST": "other"}, "redis://a:1/2"),
        ({"REDIS_HOST": "a", "REDIS_PORT": "1", "REDIS_PASSWORD": "secret"}, "redis://a:1/0"),
        ({"REDIS_HOST": "a", "REDIS_SSL": "True"}, "rediss://a:6379/0"),
        (
            {"REDIS_SENTINEL_NODES": '[["a", 1], ["b", 2]]', "REDIS_SERVICE_NAME": "m"},
            "redis+sentinel://a:1,b:2/m/0",
        ),
        ({"REDIS_CLUSTER_NODES": '[{"host": "a", "port": "1"}]'}, "redis cluster a:1"),
        (
            {"REDIS_CLUSTER_NODES": '[{"host": "a", "port": 1}]', "REDIS_URL": "redis://b"},
            "redis cluster a:1",
        ),
        (
            {"REDIS_SENTINEL_NODES": '[["a", 1]]', "REDIS_SERVICE_NAME": "m", "REDIS_URL": "redis://b"},
            "redis://b:6379/0",
        ),
        (
            {"REDIS_SENTINEL_NODES": '[["a", 1]]', "REDIS_SERVICE_NAME": "m", "REDIS_HOST": "b"},
            "redis+sentinel://a:1/m/0",
        ),
        (
            {"REDIS_HOST": "a", "REDIS_UNIX_SOCKET_PATH": "/run/v.sock", "REDIS_DB": "3", "REDIS_SSL": "1"},
            "unix:///run/v.sock?db=3",
        ),
        ({"REDIS_UNIX_SOCKET_PATH": "/run/v.sock", "REDIS_URL": "redis://b"}, "redis://b:6379/0"),
    ],
)
def test_litellm_means_what_litellms_own_variables_say(environment: dict[str, str], shown: str) -> None:
    settings = Settings.from_environment({"QWEN_STORE": "litellm", **environment})
    assert address_of("litellm", dict(settings.litellm_redis)).shown == shown
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"REDIS_URL": "secret"},
        {"REDIS_UNIX_SOCKET_PATH": "/run/v.sock"},
        {"REDIS_SENTINEL_NODES": "secret"},
        {"REDIS_PORT": "1"},
    ],
)
def test_litellm_without_a_redis_is_told(environment: dict[str, str]) -> None:
    settings = Settings.from_environment({"QWEN_STORE": "litellm", **environment})
    with pytest.raises(ConfigurationError, match="REDIS_HOST") as raised:
        address_of("litellm", dict(settings.litellm_redis))
    assert "secret" not in str(raised.value)


def test_two_databases_behind_a_socket_are_two_stores(tmp_path: Path) -> None:
    keys = {
        place_of(Settings(str(tmp_path), store=f"unix:///run/v.sock{query}", store_key=KEY)).login(None).key
        for query in ("", "?db=0", "?db=2", "?db=3")
    }
    assert len(keys) == 3


def test_nothing_of_litellms_is_read_without_being_asked_for() -> None:
    settings = Settings.from_environment({"REDIS_URL": "redis://a", "LITELLM_SALT_KEY": "salt"})
    assert (settings.store, settings.salt_key, settings.litellm_redis) == (None, None, ())
