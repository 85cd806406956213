"""What stands for a user on lists that must not name anybody."""

from __future__ import annotations

from hashlib import sha256


def user_hash(salt: str, user_id: str) -> str:
    """Keyed with the store's own ``salt`` (hex), so that two stores have nothing in common and no table of hashes helps.

    SHA-256 of the salt and of the id's own SHA-256: every engine can compute it, and lists of the bare hash can be
    brought into this form.
    """
    return salted(salt, sha256(user_id.encode("utf-8", "surrogatepass")).hexdigest())


def salted(salt: str, bare: str) -> str:
    """The same, of an id's bare SHA-256 (hex)."""
    return sha256(bytes.fromhex(salt) + bytes.fromhex(bare)).hexdigest()
