"""Refresh one definition. Death before the recording's commit: nothing happened. After: everything happened.

The steps are the architecture's: claim the run, read the source, load staging, refuse what cannot be used, guard, and
one transaction for fence, diff, slots, snapshot and the end of the run. ``telemetry.step`` marks each.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync import telemetry
from sync.errors import DataError, RunLost
from sync.model.chunk import Chunk
from sync.model.definition import Definition
from sync.model.guard import Hold
from sync.model.run import Counts, RunKind, RunStatus
from sync.model.tick import ClaimedTick
from sync.source.connection import Source
from sync.source.location import locate
from sync.source.reader import answer
from sync.store import recording, runs
from sync.store.engine import Database


@dataclass(frozen=True, slots=True)
class Refreshed:
    """One finished run. ``joined`` are destinations new to the definition, ``resumed`` those with a backfill under way."""

    definition: Definition
    run_id: int
    status: RunStatus
    counts: Counts
    hold: Hold | None
    joined: tuple[str, ...]
    resumed: tuple[str, ...]


def refresh(
    database: Database,
    source: Source,
    definition: Definition,
    *,
    kind: RunKind,
    as_of: datetime | None,
    forced: bool = False,
    backfilled: Sequence[str] | None = None,
    tick: ClaimedTick | None = None,
) -> Refreshed:
    """Compute a definition as of an instant (``None``: now) and record what changed. Raises a `SyncError`; then nothing is recorded.

    ``tick`` is the tick that asks for it. At most one run is recorded for each, and none once the tick has been taken away
    or a newer configuration has been announced; a run that nobody's tick asks for goes by its caller's configuration.
    """
    claimed = runs.claim(database, definition, kind, as_of, forced=forced, tick=tick)
    began = database.clock.monotonic()
    telemetry.step("refresh.claimed", definition=definition.key)
    try:
        with runs.heartbeat(database, claimed), recording.session(database) as session:
            members = stage(session, source, definition, claimed.as_of)
            done = session.record(claimed, definition, members, backfilled)
    except BaseException as error:
        runs.fail(database, claimed, error)
        ended = RunStatus.LOST if isinstance(error, RunLost) else RunStatus.FAILED
        _count(definition, ended, database.clock.monotonic() - began)
        raise
    status = RunStatus.SUCCEEDED if done.hold is None else RunStatus.HELD
    _count(definition, status, database.clock.monotonic() - began, done.counts)
    telemetry.event(
        "run.held" if done.hold else "run.succeeded",
        level=logging.WARNING if done.hold else logging.INFO,
        definition=definition.key,
        run=claimed.id,
        members=done.counts.members,
        entered=done.counts.entered,
        exited=done.counts.exited,
        changed=done.counts.changed,
        held=done.counts.held,
    )
    return Refreshed(definition, claimed.id, status, done.counts, done.hold, done.joined, done.resumed)


def _count(definition: Definition, status: RunStatus, seconds: float, counts: Counts | None = None) -> None:
    """Add one run to the process's counters."""
    telemetry.count("runs", definition=definition.key, status=status)
    telemetry.count("run_seconds", seconds, definition=definition.key)
    for name in ("entered", "exited", "changed"):
        telemetry.count(name, getattr(counts, name, 0), definition=definition.key)


def stage(session: recording.Session, source: Source, definition: Definition, as_of: datetime) -> int:
    """Read the source into staging; gives the number of rows. `DataError` when users stand there twice."""
    rows, doubled = _stage_in_place(session, source, definition) or _stage_streaming(session, source, definition, as_of)
    if doubled:
        raise DataError(
            f"{definition.kind} {definition.name!r}: its answer has more than one row for user "
            f"{', '.join(map(repr, doubled))}{' and perhaps others' if len(doubled) == _NAMED else ''}: "
            "group the query by user_id; nothing was recorded"
        )
    telemetry.step("refresh.staged", definition=definition.key, rows=rows)
    return rows


def _stage_streaming(
    session: recording.Session, source: Source, definition: Definition, as_of: datetime
) -> tuple[int, list[str]]:
    with answer(source, definition, as_of) as found:
        return session.load(_marked(found.chunks, definition), found.columns)


def _stage_in_place(session: recording.Session, source: Source, definition: Definition) -> tuple[int, list[str]] | None:
    """A table in the store's own database need not travel through this process."""
    location = locate(source, definition)
    done = None if location is None else session.load_in_place(location, definition)
    if done is None:
        return None
    rows, doubled, problem = done
    if problem is not None:
        raise DataError(f"{definition.kind} {definition.name!r}: {problem}: correct the data; nothing was recorded")
    telemetry.step("refresh.in_place", definition=definition.key)
    return rows, doubled


_NAMED = 5


def _marked(chunks: Iterator[Chunk], definition: Definition) -> Iterator[Chunk]:
    """The chunks, with a step at the first: the read is under way."""
    for number, chunk in enumerate(chunks):
        if number == 0:
            telemetry.step("refresh.reading", definition=definition.key)
        yield chunk
