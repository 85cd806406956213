"""Statements that are written out and run often: each is read for its parameters once, which takes longer than to run it."""

from __future__ import annotations

from functools import cache

from sqlalchemy import TextClause, text


@cache
def prepared(sql: str) -> TextClause:
    """One of our statements, ready to be executed. Only constants: each is kept for good."""
    return text(sql)
