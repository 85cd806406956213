"""A definition as loaded from configuration: an audience or a computed trait, with its fingerprint."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

FULL_REFRESH = 86_400.0
"""Seconds: what `Definition.full_refresh` is when nobody says."""


class Kind(StrEnum):
    """What a definition gives per user: membership, or one value."""

    AUDIENCE = "audience"
    TRAIT = "trait"

    @property
    def absent(self) -> str:
        """The canonical value of a user who is not there now: ``false`` for an audience, ``null`` for a trait."""
        return "false" if self is Kind.AUDIENCE else "null"


class OnDelete(StrEnum):
    """What happens to members when the definition leaves the file."""

    LEAVE = "leave"
    CLEAR = "clear"


@dataclass(frozen=True, slots=True)
class Table:
    """A membership table or view that someone else maintains."""

    name: str
    user_id: str


@dataclass(frozen=True, slots=True)
class Referred:
    """Another definition that a query refers to, and its own text."""

    kind: Kind
    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question in Segment's query language.

    ``text`` is in canonical form; ``referred`` is all that it refers to, directly or not, in the order of the keys.
    The rest follows from them. ``lookback``: seconds after which an event counts no more, infinite without a window.
    ``inexact``: it is a sum or a mean, whose last digits depend on the order in which a database adds up binary fractions.
    """

    text: str
    referred: tuple[Referred, ...] = ()
    lookback: float = field(default=math.inf, compare=False)
    inexact: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class Definition:
    """What to compute, from where, for whom.

    Exactly one of ``query``, ``sql`` and ``table`` is set. ``source`` and ``destinations`` are names in the same
    configuration. ``enrichment`` are the ``with:`` columns. ``max_exits`` is a fraction (0.5 = 50 %). ``full_refresh``: seconds
    after which a ``query`` is evaluated for everybody again. Identity is (kind, key).
    """

    kind: Kind
    key: str
    name: str
    source: str
    destinations: tuple[str, ...]
    query: Question | None = None
    sql: str | None = None
    table: Table | None = None
    enrichment: tuple[str, ...] = ()
    max_exits: float = 0.5
    on_delete: OnDelete = OnDelete.LEAVE
    enabled: bool = True
    full_refresh: float = FULL_REFRESH

    @property
    def fingerprint(self) -> str:
        """Changes exactly when the question asked of the source changes (16 hex digits)."""
        table = [self.table.name, self.table.user_id] if self.table else None
        asked: list[object] = [self.kind, self.key, self.source, self.sql, table, self.enrichment]
        if self.query is not None:  # the others keep the fingerprints that stores remember
            asked += [self.query.text, [[each.kind, each.key, each.text] for each in self.query.referred]]
        return hashlib.sha256(orjson.dumps(asked)).hexdigest()[:16]
