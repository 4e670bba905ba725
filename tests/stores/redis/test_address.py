from __future__ import annotations

import pytest

from litellm_qwen_ai.oauth.errors import ConfigurationError
from litellm_qwen_ai.settings import Settings
from litellm_qwen_ai.stores.redis.address import address_of


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
    ],
)
def test_an_address_is_shown_without_its_password(text: str, shown: str) -> None:
    found = address_of(text, {})
    assert found.shown == shown
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "db.example:6379",
        "http://db.example",
        "redis://",
        "redis://db.example/first",
        "redis://a,b",
        "redis://:secret/pass@db.example",
        "redis://db.example:secret",
        "redis+sentinel://a:26379",
        "redis+sentinel:///mymaster",
        "unix://",
        "redis://db.example#secret",
    ],
)
def test_what_is_no_address_is_told_in_one_sentence_without_being_shown(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"QWEN_STORE is no address") as raised:
        address_of(text, {})
    assert "secret" not in str(raised.value)
    assert "db.example" not in str(raised.value)
    assert raised.value.__context__ is None


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
    ],
)
def test_litellm_means_what_litellms_own_variables_say(environment: dict[str, str], shown: str) -> None:
    settings = Settings.from_environment({"QWEN_STORE": "litellm", **environment})
    assert address_of("litellm", dict(settings.litellm_redis)).shown == shown
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    "environment", [{}, {"REDIS_URL": "secret"}, {"REDIS_SENTINEL_NODES": "secret"}, {"REDIS_PORT": "1"}]
)
def test_litellm_without_a_redis_is_told(environment: dict[str, str]) -> None:
    settings = Settings.from_environment({"QWEN_STORE": "litellm", **environment})
    with pytest.raises(ConfigurationError, match="REDIS_HOST") as raised:
        address_of("litellm", dict(settings.litellm_redis))
    assert "secret" not in str(raised.value)


def test_nothing_of_litellms_is_read_without_being_asked_for() -> None:
    settings = Settings.from_environment({"REDIS_URL": "redis://a", "LITELLM_SALT_KEY": "salt"})
    assert (settings.store, settings.salt_key, settings.litellm_redis) == (None, None, ())
