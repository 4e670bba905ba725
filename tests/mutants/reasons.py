"""Mutants that no test can tell from the code, and why: the folder, the line as it was, and as it becomes."""

from __future__ import annotations

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (
        "oauth",
        "return ipaddress.ip_network(entry, strict=False)",
        "return ipaddress.ip_network(entry, strict=None)",
    ): "None is as false as False.",
    (
        "stores",
        "self._store, self._state, self._asked = store, NOTHING, 0.0",
        "self._store, self._state, self._asked = store, NOTHING, 1.0",
    ): "`begin` sets it before anybody reads it.",
    (
        "stores",
        "elif time.time() - path.stat().st_mtime > _KEPT:",
        "elif time.time() - path.stat().st_mtime >= _KEPT:",
    ): "A day, to the nanosecond: no clock hits it.",
    (
        "stores",
        "if asked > heard and now - asked > limits.answer:",
        "if asked > heard and now - asked >= limits.answer:",
    ): "Seconds on a clock, to the nanosecond: no clock hits it.",
    (
        "route",
        'member = getattr(LlmProviders, "_member_map_", {}).get(_MEMBER)',
        'member = getattr(LlmProviders, "_member_map_", None).get(_MEMBER)',
    ): "Every LiteLLM from 1.91 to the newest has the map; the default is for one that has not.",
    (
        "route",
        "while not _config() and time.monotonic() < until:",
        "while not _config() and time.monotonic() <= until:",
    ): "To the nanosecond: no clock hits it, and one look more would do no harm.",
    (
        "route",
        (
            'family = hashlib.sha256(b"litellm-qwen-ai" + multiprocessing.current_process().authkey)'
            ".hexdigest()[:32]"
        ),
        (
            'family = hashlib.sha256(b"XXlitellm-qwen-aiXX" + multiprocessing.current_process().authkey)'
            ".hexdigest()[:32]"
        ),
    ): "The word keeps the key from being hashed alone; any other would do.",
    ("route", '"POST",', '"post",'): "httpx writes methods in capitals.",
    (
        "chat",
        (
            'request=httpx.Request("POST", "https://chat.qwen.ai"),'
            "  # a stand-in: openai's classes demand one"
        ),
        (
            'request=httpx.Request("post", "https://chat.qwen.ai"),'
            "  # a stand-in: openai's classes demand one"
        ),
    ): "httpx writes methods in capitals.",
    ("oauth", "self._width = 0", "self._width = 1"): "One blank is blanked that is blank.",
    (
        "stores",
        'with self._locked(self._patience), disk.store_errors("remove", self.path):',
        'with self._locked(self._patience), disk.store_errors("REMOVE", self.path):',
    ): "A word of a sentence.",
    (
        "oauth",
        'headers = {"authorization": bearer, "user-agent": USER_AGENT, "accept": "application/json"}',
        'headers = {"AUTHORIZATION": bearer, "user-agent": USER_AGENT, "accept": "application/json"}',
    ): "HTTP takes the name of a header in any case.",
    (
        "route",
        'for scheme in ("https", "http"):',
        'for scheme in ("HTTPS", "http"):',
    ): "A URL has its scheme in any case.",
    (
        "stores",
        'link.send("SREM", shared.names_key, _NOBODY)',
        'link.send("srem", shared.names_key, _NOBODY)',
    ): "Redis and Valkey take a command's name in any case.",
    (
        "stores",
        'self._shared.link.send("SET", self._shared.key(self._account, "probe"), "", "PX", 1000)',
        'self._shared.link.send("SET", self._shared.key(self._account, "XXprobeXX"), "", "PX", 1000)',
    ): "Any name would do that nothing else has.",
    (
        "stores",
        '("HEXISTS", shared.key(name, "login"), "record"),',
        '("hexists", shared.key(name, "login"), "record"),',
    ): "Redis and Valkey take a command's name in any case.",
    (
        "oauth",
        'headers={**headers, "accept-encoding": "identity"},  # nothing that unpacks to gigabytes',
        'headers={**headers, "ACCEPT-ENCODING": "identity"},  # nothing that unpacks to gigabytes',
    ): "HTTP takes the name of a header in any case.",
    (
        "stores",
        'link.run(scripts.COUNT, keys[2:], _KEPT, 1, "x", 1, 1, "y", 1, 1, "y")',
        'link.run(scripts.COUNT, keys[2:], _KEPT, 1, "x", 1, 1, "y", 1, 1, "XXyXX")',
    ): "Whatever is written there: it is looked whether it may be.",
    (
        "stores",
        "self._shared.link.run(scripts.SEAL, self.keys[:1], record, anew)",
        "self._shared.link.run(scripts.SEAL, self.keys[:2], record, anew)",
    ): "The script writes the first key; the second lies beside it.",
}
