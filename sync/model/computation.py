"""The id under which a destination knows a definition, whatever it is called: ``aud_`` or ``tra_`` and 27 characters.

Derived once from project and key, and stored: what has been sent out never changes.
"""

from __future__ import annotations

import hashlib

import orjson

from sync.model.definition import Kind

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH = 27
"""As long as Segment's own: room for 160 bits."""

_PREFIX = {Kind.AUDIENCE: "aud_", Kind.TRAIT: "tra_"}


def computation_id(project: str, kind: Kind, key: str) -> str:
    """The same for the same definition of the same project, on every machine."""
    content = orjson.dumps([project, kind.value, key])
    number = int.from_bytes(hashlib.blake2b(content, digest_size=20).digest())
    digits = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    return _PREFIX[kind] + "".join(reversed(digits))
