"""(j) A refresh of what one hour has changed, in a source that holds ever more.

Ours is `sync.refresh.run.refresh`, from the claim to the recording, and of all definitions one after the other, as a delta
refreshes them. Each size has the same number of events an hour and the same users: only how far back it goes differs. What
stands as the ceiling is the least of the sizes, and then a refresh of everybody, in the same source and by the same code.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import psycopg
from sqlalchemy import text

from bench.places import Place, Places
from bench.shop import FILTERED_SUM, FUNNEL, NOW, WINDOWED, WINDOWED_COUNT, Shop, definition
from bench.table import Row, heading, line
from sync.model.run import RunKind
from sync.refresh.run import Refreshed, refresh
from sync.source.connection import Source
from sync.store.engine import Database

AT_MOST = 2.0
AT_LEAST = 20.0
HOURS = 5
_MIDDLE = 1
_ENGINES = ("SQLite", "PostgreSQL")
_DELTA = "delta of all four"
_ASKED = {
    "windowed audience": WINDOWED,
    "windowed count": WINDOWED_COUNT,
    "filtered sum": FILTERED_SUM,
    "funnel": FUNNEL,
}


@dataclass(frozen=True, slots=True)
class _Times:
    """Of one definition in one source: seconds for an hour's change, for everybody, how many were looked at, and how many
    are in the answer."""

    hour: float
    full: float
    candidates: int
    members: int


def run(places: Places, shops: list[Shop]) -> None:
    """Print the table for both engines; the middle one of the ``shops`` is also refreshed in full."""
    sizes = ", ".join(f"{shop.events:,}" for shop in shops)
    heading(f"(j) refresh of one hour's change, of {shops[0].users:,} users, in {sizes} events")
    for number in range(2):
        times = [_one_place(places.fresh()[number], shop, in_full=shop is shops[_MIDDLE]) for shop in shops]
        for what in (_DELTA, *_ASKED):
            for row in _rows(_ENGINES[number], what, [each[what] for each in times], shops):
                line(row)


def _rows(engine: str, what: str, times: list[_Times], shops: list[Shop]) -> list[Row]:
    hours = [each.hour for each in times]
    middle = times[_MIDDLE]
    told = ", ".join(
        f"{shop.events:,} events {each.hour * 1000:.0f} ms" for shop, each in zip(shops, times, strict=True)
    )
    longest, least = max(hours), min(hours)
    share = f"{middle.candidates:,} users looked at, {middle.members:,} in the answer"
    return [
        Row(f"{what}: of all sizes", engine, _ms(longest), _ms(least), longest / least, AT_MOST, note=told),
        Row(
            f"{what}: to everybody",
            engine,
            _ms(middle.hour),
            _ms(middle.full),
            middle.full / middle.hour,
            at_least=AT_LEAST,
            note=share,
        ),
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:,.0f} ms"


def _one_place(place: Place, shop: Shop, *, in_full: bool) -> dict[str, _Times]:
    hours: dict[str, list[float]] = {what: [] for what in (*_ASKED, _DELTA)}
    looked_at: dict[str, tuple[int, int]] = {}
    with shop.open(place) as source, place.database() as database:
        bench = _Bench(database, source)
        for what in _ASKED:
            bench.refresh(what, NOW)
        bench.owe_nothing(place)
        for number in range(1, HOURS + 1):
            until = shop.hour(place, number)
            place.read_from_disk()
            for what in _ASKED:
                seconds, done = bench.refresh(what, until)
                assert done.full is None, done.full
                hours[what].append(seconds)
                looked_at[what] = (done.candidates or 0, done.counts.members)
            hours[_DELTA].append(sum(hours[what][-1] for what in _ASKED))
        full = {what: bench.refresh(what, until, full=True)[0] if in_full else math.nan for what in _ASKED}
    _empty(place)
    full[_DELTA] = sum(full.values())
    looked_at[_DELTA] = sum(each[0] for each in looked_at.values()), sum(each[1] for each in looked_at.values())
    return {what: _Times(median(hours[what]), full[what], *looked_at[what]) for what in (_DELTA, *_ASKED)}


@dataclass(frozen=True, slots=True)
class _Bench:
    """A store, and a source that it reads."""

    database: Database
    source: Source

    def refresh(self, what: str, as_of: datetime, *, full: bool = False) -> tuple[float, Refreshed]:
        """Seconds, and what was found."""
        asked = definition(_ASKED[what], what.replace(" ", "_"))
        started = time.perf_counter()
        done = refresh(self.database, self.source, asked, kind=RunKind.DELTA, as_of=as_of, full=full)
        assert not done.missed, done.missed
        return time.perf_counter() - started, done

    def owe_nothing(self, place: Place) -> None:
        """Empty the outbox, as a finished delivery would."""
        with self.database.write() as connection:
            connection.execute(text("DELETE FROM slot"))
        if not place.on_sqlite:
            with self.database.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE")


def _empty(place: Place) -> None:
    """Give back the room that it takes."""
    if place.on_sqlite:
        for url in (place.source_url, place.store_url):
            for end in ("", "-wal", "-shm"):
                Path(url.removeprefix("sqlite:///") + end).unlink(missing_ok=True)
    else:
        with psycopg.connect(place.source_url, autocommit=True) as connection:
            connection.execute("DROP TABLE orders, returns")
