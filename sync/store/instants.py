"""Instants in the store: timestamptz on PostgreSQL, fixed-width UTC text on SQLite, so that both sort and compare."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import DateTime, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine


def stamp(instant: datetime) -> str:
    """``2026-11-21 10:00:00.000000``, in UTC: how SQLite stores an instant."""
    # Not strftime: its years before 1000 have fewer than four digits, and would neither sort nor be read back. What is
    # cut off is "+00:00".
    return instant.astimezone(UTC).isoformat(" ", "microseconds")[:26]


@lru_cache(maxsize=1024)
def _read(text: str) -> datetime:
    """What `stamp` wrote. What is recorded at once has one instant, however many rows that is."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware datetime in Python, whatever the engine stores."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        kind: TypeEngine[Any] = Text() if dialect.name == "sqlite" else DateTime(timezone=True)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        return stamp(value) if dialect.name == "sqlite" else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return _read(value)
        aware: datetime = value
        return aware.astimezone(UTC)
