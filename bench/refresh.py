"""(a) A refresh, with nothing changed and with 1 % changed, against the same by hand.

Ours is `sync.refresh.run.refresh` on a store that knows everybody and owes nothing: stream, check, stage, compare,
record. The audience and the trait go through the same code; the trait carries a value for each user.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from sqlalchemy import Connection, text

from bench.ceiling import Ceiling, by_hand
from bench.measure import Work, alternate
from bench.people import audience, fill, trait
from bench.places import Place, Places
from bench.table import Row, heading, line
from sync import telemetry
from sync.clock import SystemClock
from sync.model.definition import Definition
from sync.model.run import RunKind
from sync.refresh.run import refresh
from sync.source.connection import Source
from sync.source.reader import answer
from sync.store.engine import Database
from sync.store.postgresql.recording import PostgresqlRecording
from sync.store.sqlite.recording import SqliteRecording

AT_MOST = 2.0


@dataclass(slots=True)
class Stopwatch:
    """When the steps of each refresh were taken."""

    at: dict[str, list[float]] = field(default_factory=dict)

    def note(self, name: str, _: dict[str, object]) -> None:
        """A listener of `sync.telemetry`."""
        self.at.setdefault(name, []).append(time.perf_counter())

    def between(self, first: str, second: str) -> float:
        """Seconds between two steps: the median of all refreshes."""
        return median(b - a for a, b in zip(self.at[first], self.at[second], strict=True))


@dataclass(frozen=True, slots=True)
class _Bench:
    """One engine, prepared."""

    place: Place
    database: Database
    source: Source
    ceiling: Ceiling
    users: int
    times: int

    def refresh(self, definition: Definition) -> int:
        """One refresh; gives how many users changed."""
        counts = refresh(self.database, self.source, definition, kind=RunKind.DELTA, as_of=SystemClock().now()).counts
        return counts.entered + counts.exited + counts.changed

    def owe_nothing(self) -> None:
        """Empty the outbox, as a finished delivery would."""
        with self.database.write() as connection:
            connection.execute(text("DELETE FROM slot"))
        if not self.place.on_sqlite:
            with self.database.engine.connect() as connection:
                connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("VACUUM ANALYZE slot")


def run(places: Places, users: int, times: int) -> None:
    """Print the table for both engines."""
    heading(f"(a) refresh of {users:,} members: seconds, ours against stream + load + diff by hand")
    for place in places.fresh():
        fill(place, users)
        with place.database() as database:
            bench = _Bench(place, database, place.source(), by_hand(place), users, times)
            _one_engine(bench)


def _one_engine(bench: _Bench) -> None:
    bench.ceiling.prepare()
    for kind, definitions in (("audience", (audience(0), audience(1))), ("trait", (trait(0), trait(1)))):
        bench.refresh(definitions[0])
        line(_nothing_changed(bench, kind, definitions[0]))
        line(_some_changed(bench, kind, definitions))


def _nothing_changed(bench: _Bench, kind: str, definition: Definition) -> Row:
    def ours(_: int) -> None:
        assert bench.refresh(definition) == 0

    def ceiling(_: int) -> None:
        assert bench.ceiling.refresh(definition, definition) == 0

    return _measured(bench, f"{kind}, nothing changed", ours, ceiling, definition)


def _some_changed(bench: _Bench, kind: str, definitions: tuple[Definition, Definition]) -> Row:
    changes = bench.users // 100

    def ours(turn: int) -> None:
        assert bench.refresh(definitions[1 - turn % 2]) == changes

    def ceiling(turn: int) -> None:
        assert bench.ceiling.refresh(definitions[1 - turn % 2], definitions[turn % 2]) == changes

    return _measured(bench, f"{kind}, 1 % changed", ours, ceiling, definitions[0])


def _measured(bench: _Bench, what: str, ours: Work, ceiling: Work, definition: Definition) -> Row:
    with _watched() as stopwatch:
        pair = alternate(bench.times, ours, ceiling, before=lambda _: bench.owe_nothing())
    return Row(
        what,
        bench.place.engine,
        f"{pair.ours:.2f} s",
        f"{pair.ceiling:.2f} s",
        pair.ratio,
        at_most=AT_MOST,
        note=_breakdown(stopwatch, _streaming(bench.source, definition)),
    )


def _streaming(source: Source, definition: Definition) -> float:
    """Seconds that reading alone takes: the rest of the time until everything is staged is loading."""
    started = time.perf_counter()
    with answer(source, definition, SystemClock().now()) as found:
        for _ in found.chunks:
            pass
    return time.perf_counter() - started


def _breakdown(stopwatch: Stopwatch, streaming: float) -> str:
    staged = stopwatch.between("refresh.claimed", "refresh.staged")
    diff = stopwatch.between("refresh.staged", "compared")
    record = stopwatch.between("compared", "refresh.committed")
    return f"stream {streaming:.2f}  stage {staged - streaming:.2f}  diff {diff:.2f}  record {record:.2f}"


@contextmanager
def _watched() -> Iterator[Stopwatch]:
    """Note the steps, and the end of the comparison, which is no step of the protocol."""
    stopwatch = Stopwatch()
    stop = telemetry.listen(stopwatch.note)
    originals = {kind: kind.compare for kind in (SqliteRecording, PostgresqlRecording)}

    def compare(original: Any, statements: Any, connection: Connection, *rest: Any) -> Any:
        found = original(statements, connection, *rest)
        stopwatch.note("compared", {})
        return found

    for kind, original in originals.items():
        kind.compare = lambda *given, original=original: compare(original, *given)  # type: ignore[method-assign,misc]
    try:
        yield stopwatch
    finally:
        stop()
        for kind, original in originals.items():
            kind.compare = original  # type: ignore[method-assign]
