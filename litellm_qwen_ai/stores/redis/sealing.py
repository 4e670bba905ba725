"""Seals what is secret: AES-256-GCM, bound to the place in the store where it belongs."""

from __future__ import annotations

import base64
import binascii
import secrets
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from litellm_qwen_ai.oauth.errors import ConfigurationError, CorruptCredentialsError
from litellm_qwen_ai.plans import wrapping
from litellm_qwen_ai.settings import LITELLM

if TYPE_CHECKING:
    from litellm_qwen_ai.settings import Settings

_KEY = 32  # bytes
_NONCE = 12  # bytes (NIST SP 800-38D section 5.2.1.1)
_FORMAT = b"\x01"
_INFO = b"litellm-qwen-ai: the key that seals logins, version 1"
_MAKE_ONE = (
    "Make one with `python -c 'import base64, os; print(base64.b64encode(os.urandom(32)).decode())'` "
    "and give it to every machine."
)


class Sealer:
    """Seals with the first of its keys, and opens with any.

    Args:
        keys: Each of 32 bytes.
    """

    def __init__(self, keys: list[bytes]) -> None:
        self._ciphers = [AESGCM(key) for key in keys]

    def seal(self, content: bytes, *where: object) -> bytes:
        """The sealed content; opened elsewhere than `where` it belongs to, it is refused."""
        nonce = secrets.token_bytes(_NONCE)
        return _FORMAT + nonce + self._ciphers[0].encrypt(nonce, content, _bound_to(where))

    def open(self, sealed: bytes, *where: object) -> bytes:
        """The content; a `CorruptCredentialsError` if no key opens it there, or it was changed."""
        return self._opened(sealed, where)[0]

    def sealed_anew(self, sealed: bytes, *where: object) -> bytes | None:
        """The same content, sealed with the first key; None if it is already."""
        content, number = self._opened(sealed, where)
        return None if number == 0 else self.seal(content, *where)

    def _opened(self, sealed: bytes, where: tuple[object, ...]) -> tuple[bytes, int]:
        if sealed[:1] == _FORMAT:
            nonce, rest = sealed[1 : 1 + _NONCE], sealed[1 + _NONCE :]
            for number, cipher in enumerate(self._ciphers):
                try:
                    return cipher.decrypt(nonce, rest, _bound_to(where)), number
                except (InvalidTag, ValueError):  # noqa: PERF203  # one of two keys or so
                    continue
        raise CorruptCredentialsError(
            "QWEN_STORE_KEY does not fit: what is stored was sealed with another key, or changed, or belongs "
            "to another account or prefix. Give every machine the same key (or LITELLM_SALT_KEY, which can "
            "make it) and QWEN_STORE_PREFIX"
        )


def sealer_of(settings: Settings) -> Sealer:
    """The sealer with the keys that the settings name.

    Raises:
        ConfigurationError: There is none, or one is no key. The message never shows it.
    """
    named = (settings.store_key or LITELLM).split(",")
    return Sealer([_key(text.strip(), place, settings) for place, text in enumerate(named, 1)])


def _key(text: str, place: int, settings: Settings) -> bytes:
    if text == LITELLM and settings.salt_key is not None:
        return HKDF(SHA256(), _KEY, salt=None, info=_INFO).derive(settings.salt_key.encode())
    if text == LITELLM and settings.store_key is None:
        raise ConfigurationError(f"QWEN_STORE needs QWEN_STORE_KEY, which seals the logins. {_MAKE_ONE}")
    if text == LITELLM:
        raise ConfigurationError(f"QWEN_STORE_KEY: key {place} is litellm, but LITELLM_SALT_KEY is not set.")
    try:
        key = base64.b64decode(text, altchars=b"-_" if set(text) & set("-_") else None, validate=True)
    except (binascii.Error, ValueError):
        fault = "is no base64"
    else:
        if len(key) == _KEY:
            return key
        fault = f"has {len(key)} bytes instead of {_KEY}"
    if around := wrapping(text, surely=True):
        fault = f"stands {around}"
    # Raised outside of `except`: what decodes names what it was given.
    raise ConfigurationError(f"QWEN_STORE_KEY cannot be used: key {place} {fault}. {_MAKE_ONE}")


def _bound_to(where: tuple[object, ...]) -> bytes:
    return "\n".join(map(str, where)).encode()
