"""A refresh from end to end: a customer's table ``answer`` (user_id, value, email), a store, and what is then owed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

import pytest

from sync.model.definition import Definition, Kind, OnDelete
from sync.model.run import RunKind
from sync.refresh.plan import Plan, plan
from sync.refresh.removal import Removed, absent, remove
from sync.refresh.run import Refreshed, refresh
from sync.store.engine import Database
from tests.recorder import PUSH, drain, owed
from tests.refresh.till import Till
from tests.shop import Shop

VIP = Definition(Kind.AUDIENCE, "vip", "Vip", "shop", (PUSH,), sql="SELECT user_id FROM answer")
SPEND = Definition(Kind.TRAIT, "spend", "Spend", "shop", (PUSH,), sql="SELECT user_id, value FROM answer")


class Stage:
    """One store and one shop. Every call of ``delta`` and ``backfill`` is a refresh as of now, or of ``as_of``."""

    def __init__(self, database: Database, shop: Shop) -> None:
        self.database = database
        self.shop = shop

    def delta(
        self,
        definition: Definition = VIP,
        members: Iterable[str] | None = None,
        *,
        kind: RunKind = RunKind.DELTA,
        as_of: datetime | None = None,
        forced: bool = False,
        only: Iterable[str] | None = None,
    ) -> Refreshed:
        """Refresh a definition, after its members have been set where they are given."""
        if members is not None:
            self.shop.members(*members)
        backfilled = None if only is None else tuple(only)
        at = as_of or self.database.clock.now()
        return refresh(
            self.database, self.shop.source, definition, kind=kind, as_of=at, forced=forced, backfilled=backfilled
        )

    def backfill(self, definition: Definition = VIP, members: Iterable[str] | None = None, **more: object) -> Refreshed:
        """The same for everybody."""
        return self.delta(definition, members, kind=RunKind.BACKFILL, **more)  # type: ignore[arg-type]

    def plan(self, *definitions: Definition, destinations: Iterable[str] = (PUSH,), removals: bool = False) -> Plan:
        """What a delta would send."""
        return plan(
            self.database,
            {"shop": self.shop.source},
            definitions,
            list(destinations),
            as_of=self.database.clock.now(),
            kept=definitions if removals else None,
        )

    def remove_all_but(self, *definitions: Definition) -> list[Removed]:
        """Take every other definition out of the file."""
        return [remove(self.database, known) for known in absent(self.database, definitions)]

    def owed(self, destination: str = PUSH) -> dict[str, dict[str, object]]:
        """What is owed, by user."""
        return owed(self.database, destination)

    def sent(self, destination: str = PUSH) -> dict[str, dict[str, object]]:
        """Deliver everything; gives what was sent, by user."""
        return drain(self.database, destination)


def to(definition: Definition, *destinations: str) -> Definition:
    """The same definition, for other destinations."""
    return replace(definition, destinations=destinations)


def cleared(definition: Definition) -> Definition:
    """The same definition, to be cleared when it is removed."""
    return replace(definition, on_delete=OnDelete.CLEAR)


@pytest.fixture
def stage(database: Database, sqlite_shop: Shop) -> Stage:
    """A store on each engine in turn, and a shop on SQLite."""
    return Stage(database, sqlite_shop)


@pytest.fixture
def stage_of_postgresql_shop(database: Database, postgresql_shop: Shop) -> Stage:
    """A store on each engine in turn, and a shop on PostgreSQL."""
    return Stage(database, postgresql_shop)


@pytest.fixture
def till(database: Database, sqlite_shop: Shop) -> Till:
    """A store on each engine in turn, and a shop on SQLite."""
    return Till(database, sqlite_shop)


@pytest.fixture
def small_till(sqlite_database: Database, sqlite_shop: Shop) -> Till:
    """Both on SQLite: for what is decided before any statement is run."""
    return Till(sqlite_database, sqlite_shop)
