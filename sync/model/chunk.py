"""Rows on their way from a source to staging, by columns: what is loaded in bulk is also handed over in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some rows of a definition's answer, in canonical text. ``values`` is ``None`` for an audience, ``extras`` (JSON
    objects, the ``with:`` columns) for a definition without enrichment; else they are as long as ``user_ids``.

    Of candidates, ``values`` are always there: ``None`` for who is not in the answer."""

    user_ids: list[str]
    values: Sequence[str | None] | None = None
    extras: list[str] | None = None
