"""Asking a source, and the whole answer as rows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from sync.model.definition import Definition, Kind, Table
from sync.source.connection import Source
from sync.source.reader import answer

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
Asked = Callable[..., list[tuple[str | None, ...]]]


@pytest.fixture
def ask() -> Asked:
    """The answer of ``source`` as (user_id, value, extra); what a chunk does not carry is ``None``."""

    def rows(
        source: Source,
        sql: str | None,
        kind: Kind = Kind.AUDIENCE,
        *,
        table: Table | None = None,
        enrichment: tuple[str, ...] = (),
        as_of: datetime = NOON,
    ) -> list[tuple[str | None, ...]]:
        asked = Definition(kind, "key", "Name", "shop", (), sql=sql, table=table, enrichment=enrichment)
        found: list[tuple[str | None, ...]] = []
        with answer(source, asked, as_of) as opened:
            for chunk in opened.chunks:
                nothing = [None] * len(chunk.user_ids)
                found += zip(chunk.user_ids, chunk.values or nothing, chunk.extras or nothing, strict=True)
        return found

    return rows
