"""New rows of a customer's table become events of the log: none is missed, and none is there twice.

A row can appear late, below others that were seen already: its transaction took longer. So a place in the table (a
`Mark`) is left behind for good only once the table was read from before it at least ``lateness`` after it was reached;
until then every reading begins before it. What is read again is known by its message id: to the log by its own, and here
by those of late, so that mostly nothing is asked of the log.

Marks are written down after what they say is in the log. A death between the two means that rows are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from sync import telemetry
from sync.model.event import LoggedEvent
from sync.model.feed import BEGINNING, Cursor, EventsTable, Mark, reached, settled
from sync.refresh.rows import Rows, Skipped, read
from sync.source import feed as source_feed
from sync.source.connection import Source
from sync.store import events, feeds
from sync.store.engine import Database

BATCH = 1000
"""Events that are recorded in one transaction."""

MOST_REMEMBERED = 50_000
"""Message ids of late; those of more rows are asked of the log."""

_QUICK = 0.5
"""Seconds that a thorough reading may take, to be made each time."""

_SHARE = 10.0
"""Else it is made again after so many times what it took; in between, only what is newest is looked for."""

_SPACING = 1 / 20
"""Of the lateness: the time between two marks that are kept, so that there are few."""

_WRITTEN_EVERY = 5.0
"""Seconds between two writings of marks while a long reading is under way."""


@dataclass(slots=True)
class Polled:
    """What one look at a table came to: new events, those of suppressed users, and rows that cannot be events, by reason."""

    new: int = 0
    suppressed: int = 0
    skipped: dict[str, int] = field(default_factory=dict)

    def skip(self, reason: str) -> None:
        """Count a row that cannot be an event."""
        self.skipped[reason] = self.skipped.get(reason, 0) + 1


class Feed:
    """One table's rows on their way into the log. Not for two threads at once; two processes do no harm."""

    def __init__(self, database: Database, source: Source, table: EventsTable) -> None:
        self.name = table.feed_name(source.name)
        self._database = database
        self._source = source
        self._table = table
        self._marks: tuple[Mark, ...] = ()
        self._written: tuple[Mark, ...] = ()
        self._written_at = 0.0
        self._known: dict[str, None] = {}
        self._thorough_at: float | None = None

    def poll(self, go_on: Callable[[], bool] = lambda: True) -> Polled:
        """Record what has appeared since the last look, a batch at a time while ``go_on``.

        Raises `SourceError`, and `StoreError`; what was recorded until then is recorded.
        """
        clock = self._database.clock
        began = self._now()
        started = self._written_at = clock.monotonic()
        if not self._marks:
            self._marks = self._written = self._begun(began)
        thorough = len(self._marks) == 1 or (self._thorough_at is not None and started >= self._thorough_at)
        # Rows that are read again lie before the newest mark: the end of them all is past it, whatever came between.
        at_once = not thorough or len(self._marks) == 1
        polled = Polled()
        with source_feed.after(self._source, self._table, self._marks[0 if thorough else -1]) as found:
            rows = read(found, self._source.name, self._table, began)
            whole = self._record_all(
                rows, polled, lambda: began + timedelta(seconds=clock.monotonic() - started), at_once, go_on
            )
        if thorough and whole:
            self._marks = settled(self._marks, began - timedelta(seconds=self._table.lateness))
        self._write()
        self._plan(thorough, clock.monotonic() - started)
        return polled

    def _plan(self, thorough: bool, took: float) -> None:
        """A thorough reading that takes long is not made each time; after a start, the newest rows come first."""
        if thorough or self._thorough_at is None:
            wait = took * _SHARE if thorough and took > _QUICK else 0.0
            self._thorough_at = self._database.clock.monotonic() + wait

    def _now(self) -> datetime:
        with self._database.read() as connection:
            return self._database.now(connection)

    def _begun(self, now: datetime) -> tuple[Mark, ...]:
        """The marks of the last time; or where it begins."""
        with self._database.read() as connection:
            marks = feeds.marks(connection, self.name)
        if marks:
            return marks
        start = self._table.forward.start if self._table.forward else None
        if start == BEGINNING:
            first = Mark(now, None)
        elif start is not None:
            first = Mark(now, start, including=True)
        else:
            first = Mark(now, source_feed.newest(self._source, self._table))
        telemetry.event("feed.began", feed=self.name)
        return feeds.begin(self._database, self.name, first)

    def _record_all(
        self, rows: Rows, polled: Polled, now: Callable[[], datetime], at_once: bool, go_on: Callable[[], bool]
    ) -> bool:
        """Record all rows; False when it was told to stop before their end."""
        batch: list[LoggedEvent] = []
        skipped: list[Skipped] = []
        last: Cursor = None
        for cursor, found in rows:
            if len(batch) + len(skipped) >= BATCH:
                self._record(batch, skipped, polled)
                if at_once:
                    self._reached(last, now())
                if not go_on():
                    return False
                batch, skipped = [], []
            for each in found:
                if isinstance(each, Skipped):
                    if each.key not in self._known:
                        skipped.append(each)
                elif each.message_id not in self._known:
                    batch.append(each)
            last = last if cursor is None else cursor
        self._record(batch, skipped, polled)
        self._reached(last, now())
        return True

    def _record(self, batch: list[LoggedEvent], skipped: list[Skipped], polled: Polled) -> None:
        if batch:
            recorded = events.record(self._database, batch)
            telemetry.step("feed.recorded", feed=self.name)
            polled.new += recorded.new
            polled.suppressed += recorded.suppressed
            for _ in recorded.refused:
                polled.skip("it holds what the store cannot hold")
        for each in skipped:
            polled.skip(each.reason)
        self._remember([*(each.message_id for each in batch), *(each.key for each in skipped)])

    def _remember(self, keys: Iterable[str]) -> None:
        self._known.update(dict.fromkeys(keys))
        for forgotten in list(islice(self._known, max(0, len(self._known) - MOST_REMEMBERED))):
            del self._known[forgotten]

    def _reached(self, cursor: Cursor, now: datetime) -> None:
        """Everything up to the row with this cursor, as far as it was there, is in the log."""
        if cursor is None:
            return
        self._marks = reached(self._marks, Mark(now, cursor), self._table.lateness * _SPACING)
        if self._database.clock.monotonic() - self._written_at >= _WRITTEN_EVERY:
            self._write()

    def _write(self) -> None:
        if self._marks != self._written:
            feeds.advance(self._database, self.name, self._marks)
            telemetry.step("feed.marked", feed=self.name)
            self._written = self._marks
        self._written_at = self._database.clock.monotonic()
