from __future__ import annotations

from pathlib import Path

import pytest
import redis

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


@pytest.mark.parametrize(
    ("text", "options", "nodes", "service"),
    [
        ("redis://db.example", {"host": "db.example", "port": 6379}, (), None),
        ("redis://[::1]/0", {"host": "::1", "port": 6379, "db": 0}, (), None),
        (
            "redis://us%40er:pass%2Fword@db.example:7000/3",
            {"host": "db.example", "port": 7000, "db": 3, "username": "us@er", "password": "pass/word"},
            (),
            None,
        ),
        (
            "rediss://db.example/1?username=other&password=&db=2&ssl_check_hostname=Yes&ssl_cert_reqs=optional",
            {
                "host": "db.example",
                "port": 6379,
                "db": 2,
                "username": "other",
                "password": "",
                "ssl": True,
                "ssl_check_hostname": True,
                "ssl_cert_reqs": "optional",
            },
            (),
            None,
        ),
        (
            "redis://user:a[b@[::1]:6380",
            {"host": "::1", "port": 6380, "username": "user", "password": "a[b"},
            (),
            None,
        ),
        (
            "unix://user:pass@/run/a%20b.sock?db=2",
            {"unix_socket_path": "/run/a b.sock", "db": 2, "username": "user", "password": "pass"},
            (),
            None,
        ),
        (
            "rediss+sentinel://:pass@a,b:1/mymaster/4?sentinel_username=one&sentinel_password=two",
            {
                "db": 4,
                "password": "pass",
                "sentinel_username": "one",
                "sentinel_password": "two",
                "ssl": True,
            },
            (("a", 26379), ("b", 1)),
            "mymaster",
        ),
    ],
)
def test_redis_py_is_told_what_stands_in_an_address(
    text: str, options: dict[str, object], nodes: tuple[tuple[str, int], ...], service: str | None
) -> None:
    found = address_of(text, {})
    assert (found.options, found.nodes, found.service) == (options, nodes, service)


#: Before what ends the part of an address in which a password stands: digits could be taken for a port.
_RAW = [f"12{char}secret" for char in "/?#"] + ["secret/pass", "sec?ret", "sec#ret", "12/secret@x"]
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


_LOGIN = {"REDIS_USERNAME": "user", "REDIS_PASSWORD": "pass"}
_TLS = {"REDIS_SSL": "yes", "REDIS_SSL_CHECK_HOSTNAME": "false", "REDIS_SSL_CERT_REQS": "none"}
_AS_TOLD = {"username": "user", "password": "pass", "ssl": True, "ssl_check_hostname": False}
_AS_TOLD |= {"ssl_cert_reqs": "none"}


@pytest.mark.parametrize(
    ("environment", "options", "nodes", "service"),
    [
        ({"REDIS_HOST": "a", **_LOGIN, **_TLS}, {**_AS_TOLD, "host": "a", "port": 6379}, (), None),
        (
            {"REDIS_HOST": "a", **_TLS, "REDIS_SSL": "no", "REDIS_DB": "2"},
            {"host": "a", "port": 6379, "db": 2},
            (),
            None,
        ),
        (
            {
                "REDIS_CLUSTER_NODES": '[{"host": "a", "port": "1"}, {"host": "b", "port": 2}]',
                **_LOGIN,
                **_TLS,
            },
            _AS_TOLD,
            (("a", 1), ("b", 2)),
            None,
        ),
        (
            {
                "REDIS_SENTINEL_NODES": '[["a", "1"], ["b", 2]]',
                "REDIS_SERVICE_NAME": "m",
                "REDIS_SENTINEL_PASSWORD": "too",
                **_LOGIN,
                **_TLS,
            },
            {**_AS_TOLD, "sentinel_password": "too"},
            (("a", 1), ("b", 2)),
            "m",
        ),
        (
            {"REDIS_HOST": "a", "REDIS_UNIX_SOCKET_PATH": "/run/v.sock", **_LOGIN, **_TLS},
            {"username": "user", "password": "pass", "unix_socket_path": "/run/v.sock"},
            (),
            None,
        ),
    ],
)
def test_redis_py_is_told_what_litellms_variables_say(
    environment: dict[str, str],
    options: dict[str, object],
    nodes: tuple[tuple[str, int], ...],
    service: str | None,
) -> None:
    settings = Settings.from_environment({"QWEN_STORE": "litellm", **environment})
    found = address_of("litellm", dict(settings.litellm_redis))
    assert (found.options, found.nodes, found.service) == (options, nodes, service)


@pytest.mark.parametrize(
    ("text", "private"),
    [
        ("redis://127.0.0.1", True),
        ("redis://db.example", False),
        ("rediss://db.example", True),
        ("unix:///run/v.sock", True),
        ("redis+sentinel://localhost,[::1]/m", True),
        ("redis+sentinel://localhost,db.example/m", False),
        ("rediss+sentinel://localhost,db.example/m", True),
    ],
)
def test_a_way_is_private_by_tls_or_where_it_leaves_no_machine(text: str, private: bool) -> None:
    assert address_of(text, {}).is_private is private


def test_an_address_takes_its_passwords_out_of_a_text() -> None:
    found = address_of("redis+sentinel://user:first@a/m?sentinel_password=second", {})
    assert found.without_secrets("user first, second, a") == "user ***, ***, a"
    assert address_of("redis://a?password=", {}).without_secrets("as it was") == "as it was"


def test_sentinels_are_asked_with_their_own_login_over_the_same_tls() -> None:
    text = "rediss+sentinel://user:first@a:1,b/m/3?sentinel_username=one&sentinel_password=second"
    client = address_of(text, {}).client(is_cluster=False, socket_timeout=2)
    asked = client.connection_pool.sentinel_manager
    one, other = (sentinel.connection_pool.connection_kwargs for sentinel in asked.sentinels)
    assert [(each["host"], each["port"]) for each in (one, other)] == [("a", 1), ("b", 26379)]
    assert (one["username"], one["password"], one["socket_timeout"]) == ("one", "second", 2)
    made = client.connection_pool.connection_kwargs
    assert (made["username"], made["password"], made["db"], made["socket_timeout"]) == ("user", "first", 3, 2)
    assert not [name for name in made if name.startswith("sentinel_")]
    for pool in (asked.sentinels[0].connection_pool, client.connection_pool):
        assert issubclass(pool.connection_class, redis.SSLConnection)


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
