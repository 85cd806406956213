"""Who posts: whoever has a write key, or the address (and the signature) of a webhook. Its name is its events' source.

Only digests are compared, each with all of them, so that the time this takes says nothing about a key.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Mapping
from hashlib import sha256

from pydantic import SecretStr

from sync.collect.answers import Refused


class Senders:
    """The write keys and webhooks of a configuration, by name. A webhook without a secret is not signed."""

    def __init__(self, keys: Mapping[str, SecretStr], webhooks: Mapping[str, SecretStr | None]) -> None:
        self._keys = [(_digest(key.get_secret_value()), name) for name, key in keys.items()]
        self._webhooks = {
            name: None if secret is None else secret.get_secret_value().encode() for name, secret in webhooks.items()
        }

    def named(self, write_key: str) -> str | None:
        """The name of a write key; ``None`` for a wrong one."""
        wanted, found = _digest(write_key), None
        for digest, name in self._keys:
            if hmac.compare_digest(digest, wanted):
                found = name
        return found

    def signs(self, name: str) -> bool:
        """Whether what is posted to a webhook's address is signed."""
        return self._webhooks.get(name) is not None

    def webhook(self, name: str, body: bytes, signature: str | None) -> str:
        """The source of what was posted to a webhook's address: its name, or that of a write key. Raises `Refused`."""
        if name not in self._webhooks:
            found = self.named(name)
            if found is None:
                raise Refused(404, "not_found", "there is no such webhook")
            return found
        secret = self._webhooks[name]
        if secret is not None:
            right = hmac.new(secret, body, "sha1").hexdigest()
            given = (signature or "").strip().lower().removeprefix("sha1=")
            if not hmac.compare_digest(_digest(given), _digest(right)):
                raise Refused(401, "invalid_signature", "`X-Signature` is missing or wrong")
        return name


def basic_user(header: str | None) -> str | None:
    """The user of Basic authorization, where a write key is; ``None`` for any other, and for what cannot be read."""
    scheme, _, given = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return b64decode(given.strip() + "==").decode().partition(":")[0] or None
    except ValueError:
        return None


def _digest(text: str) -> bytes:
    return sha256(text.encode("utf-8", "surrogatepass")).digest()
