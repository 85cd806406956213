"""Refresh one definition. Death before the recording's commit: nothing happened. After: everything happened.

The steps are the architecture's: claim the run, read the source, load staging, refuse what cannot be used, guard, and
one transaction for fence, diff, slots, snapshot and the end of the run. ``telemetry.step`` marks each.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sync import telemetry
from sync.errors import RunLost
from sync.model.definition import Definition
from sync.model.guard import Hold
from sync.model.run import ClaimedRun, Counts, RunKind, RunStatus
from sync.model.tick import ClaimedTick
from sync.model.watermark import Reading
from sync.refresh.reading import Before, read
from sync.source.connection import Source
from sync.store import enrolments, recording, runs, watermarks
from sync.store.engine import Database
from sync.store.recorded import Recorded


@dataclass(frozen=True, slots=True)
class Refreshed:
    """One finished run. ``joined`` are destinations new to the definition, ``resumed`` those with a backfill under way.

    ``full``: why everybody was evaluated, ``None`` for only those who could have changed; ``candidates``: how many these
    were, where that is known. ``missed``: whom incremental runs should have found, where a full one was compared with them.
    """

    definition: Definition
    run_id: int
    status: RunStatus
    counts: Counts
    hold: Hold | None
    joined: tuple[str, ...]
    resumed: tuple[str, ...]
    full: str | None = None
    candidates: int | None = None
    missed: int | None = None


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
    full: bool = False,
) -> Refreshed:
    """Compute a definition as of an instant (``None``: now) and record what changed. Raises a `SyncError`; then nothing is recorded.

    A query is evaluated only for those for whom something can have changed, where that can be told; for everybody in a
    backfill, when it is ``forced``, or if that is wanted (``full``).

    ``tick`` is the tick that asks for it. At most one run is recorded for each, and none once the tick has been taken away
    or a newer configuration has been announced; a run that nobody's tick asks for goes by its caller's configuration.
    """
    with database.together(waits=False) as at_once:  # were it lost, nothing would have happened yet
        claimed = runs.claim(at_once, definition, kind, as_of, forced=forced, tick=tick)
        before = _before(at_once, claimed, definition, backfilled)
    began = database.clock.monotonic()
    telemetry.step("refresh.claimed", definition=definition.key)
    try:
        with runs.heartbeat(database, claimed), recording.session(database) as session:
            everybody = full or forced or kind is RunKind.BACKFILL
            rows, reading = read(session, source, definition, before, as_of=claimed.as_of, full=everybody)
            done = session.record(claimed, definition, rows, backfilled, reading)
    except BaseException as error:
        runs.fail(database, claimed, error)
        ended = RunStatus.LOST if isinstance(error, RunLost) else RunStatus.FAILED
        _count(definition, ended, database.clock.monotonic() - began)
        raise
    status = RunStatus.SUCCEEDED if done.hold is None else RunStatus.HELD
    _count(definition, status, database.clock.monotonic() - began, done.counts)
    _tell(definition, claimed, done, reading)
    course = reading.course
    outcome = (status, done.counts, done.hold, done.joined, done.resumed)
    return Refreshed(definition, claimed.id, *outcome, course.full, reading.candidates, done.missed)


def _tell(definition: Definition, claimed: ClaimedRun, done: Recorded, reading: Reading) -> None:
    """Say what was recorded, and what incremental runs had missed of it."""
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
        extent=reading.course.extent,
        candidates=reading.candidates,
    )
    if done.missed:
        telemetry.count("refresh_missed", done.missed, definition=definition.key)
        said = {"definition": definition.key, "run": claimed.id, "users": done.missed}
        telemetry.event("refresh.missed", level=logging.WARNING, **said)


def _before(
    database: Database, claimed: ClaimedRun, definition: Definition, backfilled: Sequence[str] | None
) -> Before:
    with database.read() as connection:
        known = watermarks.find(connection, claimed.definition_id)
        decided = enrolments.decide(
            connection, claimed.definition_id, definition.destinations, claimed.kind, backfilled
        )
    return Before(known, claimed.shown is not None, decided.everybody)


def _count(definition: Definition, status: RunStatus, seconds: float, counts: Counts | None = None) -> None:
    """Add one run to the process's counters."""
    telemetry.count("runs", definition=definition.key, status=status)
    telemetry.count("run_seconds", seconds, definition=definition.key)
    for name in ("entered", "exited", "changed"):
        telemetry.count(name, getattr(counts, name, 0), definition=definition.key)
