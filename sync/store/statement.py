"""A statement that was read once: which binds it has is looked for in its text the first time it is run."""

from __future__ import annotations

from functools import lru_cache

from sqlalchemy import TextClause
from sqlalchemy import text as read


@lru_cache(maxsize=512)
def text(statement: str) -> TextClause:
    """What `sqlalchemy.text` makes of it."""
    return read(statement)
