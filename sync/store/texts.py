"""What others say, as text that every engine can store."""

from __future__ import annotations


def storable(said: str) -> str:
    """What a destination said: no NUL, no half of a surrogate pair."""
    return said.replace("\0", "\ufffd").encode(errors="replace").decode()
