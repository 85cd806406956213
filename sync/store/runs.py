"""Runs: one row per refresh. A run is a lease; only who holds its token can record, and only once.

Lifecycle: ``running → succeeded | held | failed | lost``. A partial unique index allows one running run per definition.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, bindparam, select, text, update

from sync.errors import AsOfError, RunBusy, RunLost, RunSuperseded, StoreError, SyncError
from sync.model.definition import Definition
from sync.model.run import ClaimedRun, Counts, RunKind, RunStatus
from sync.model.tick import ClaimedTick, TickState
from sync.store import configurations, definitions
from sync.store.engine import Database
from sync.store.holder import Holder, this_process
from sync.store.schema import definition, run
from sync.store.schema import tick as ticks

LEASE_SECONDS = 30.0
"""How long a run may go without a heartbeat before another process takes it over."""

LONGEST_MESSAGE = 500


def claim(
    database: Database,
    asked: Definition,
    kind: RunKind,
    as_of: datetime | None,
    *,
    forced: bool,
    tick: ClaimedTick | None = None,
) -> ClaimedRun:
    """Begin a run, for ``tick`` if one is given.

    `RunBusy` when somebody else is refreshing it, `RunLost` when the tick has its run already or is ours no more,
    `RunSuperseded` when a newer configuration was announced, `AsOfError` for an instant before the last.
    """
    with database.write() as connection:
        # Locked as it is read: to get here may have meant waiting for a recording, which knows more than we did before.
        known = definitions.ensure(connection, asked, partial(database.now, connection))
        now = database.now(connection)
        _refuse_running(connection, known.id, now)
        if as_of is None:
            as_of = _present(known, database.clock.now())
        if tick is not None:
            _refuse_twice(connection, known.id, tick)
            _refuse_taken(connection, tick)
        check_as_of(asked, known, as_of, forced=forced)
        token = uuid.uuid4().hex
        begun = {
            "definition_id": known.id,
            "kind": kind.value,
            "status": RunStatus.RUNNING.value,
            "token": token,
            "holder": this_process().text(),
            "lease_until": now + timedelta(seconds=LEASE_SECONDS),
            "as_of": as_of,
            "forced": forced,
            "started_at": now,
            "tick": None if tick is None else tick.instant,
        }
        identifier = connection.execute(_BEGIN, begun).scalar_one()
        already_shown = shown(connection, known.id)
    return ClaimedRun(identifier, known.id, kind, token, as_of, already_shown, forced, tick)


_BEGIN = run.insert().returning(run.c.id)


def _refuse_twice(connection: Connection, definition_id: int, tick: ClaimedTick) -> None:
    """One tick, one run: raise `RunLost` when a slow holder has recorded it after the tick was taken from it."""
    recorded = select(run.c.id).where(
        run.c.definition_id == definition_id,
        run.c.tick == tick.instant,
        text("status IN ('succeeded', 'held')"),
    )
    if connection.execute(recorded).one_or_none() is not None:
        raise RunLost("another process has recorded the run of this tick: nothing was recorded by this one")


SUPERSEDED = "a newer configuration was announced: nothing was recorded by this run, which is repeated with that one"


def _refuse_taken(connection: Connection, held: ClaimedTick) -> None:
    """Raise `RunLost` unless the tick is still ours and our configuration the newest."""
    if configurations.newest(connection) > held.generation:
        raise RunSuperseded(SUPERSEDED)
    ours = select(ticks.c.key).where(
        ticks.c.key == held.key,
        ticks.c.instant == held.instant,
        ticks.c.token == held.token,
        ticks.c.state == TickState.RUNNING,
    )
    if connection.execute(ours).one_or_none() is None:
        raise RunLost("its tick was taken away, to be run by somebody else: nothing was recorded by this run")


SKEW = timedelta(minutes=1)
"""How far another host's clock may be ahead of ours without anybody being asked to mend it."""


def _present(known: definitions.Recorded, now: datetime) -> datetime:
    """The instant of a run for which none was asked: now, and not before the last one where clocks differ a little."""
    return known.as_of if known.as_of is not None and now < known.as_of <= now + SKEW else now


def check_as_of(asked: Definition, known: definitions.Recorded | None, as_of: datetime, *, forced: bool) -> None:
    """Time goes forward: an earlier instant would undo what was decided since."""
    if known is None or known.as_of is None or as_of >= known.as_of or forced:
        return
    raise AsOfError(
        f"{asked.kind} {asked.name!r}: already recorded as of {known.as_of:%Y-%m-%d %H:%M:%S} UTC, and "
        f"{as_of:%Y-%m-%d %H:%M:%S} UTC is earlier: give a later --as-of, or --force to go back in time"
    )


def refuse_busy(database: Database, connection: Connection, definition_id: int) -> bool:
    """Raise `RunBusy` when a definition is being refreshed; a run whose holder is dead or silent is marked as lost.

    Gives whether there was such a run. Until the transaction ends, nobody else can claim a run of the definition.
    """
    connection.execute(select(definition.c.id).where(definition.c.id == definition_id).with_for_update(key_share=True))
    return _refuse_running(connection, definition_id, database.now(connection))


# Written out, not bound: a plan made for any value could not use the partial index.
_RUNNING = select(run.c.id, run.c.definition_id, run.c.holder, run.c.lease_until).where(text("status = 'running'"))
_RUNNING_NOW = _RUNNING.where(run.c.definition_id == bindparam("refreshed"))


def _refuse_running(connection: Connection, definition_id: int, now: datetime) -> bool:
    """The same of a definition that is locked."""
    row = connection.execute(_RUNNING_NOW, {"refreshed": definition_id}).one_or_none()
    if row is None:
        return False
    holder = Holder.parse(row.holder)
    if row.lease_until >= now and not holder.provably_dead():
        raise RunBusy(
            f"run {row.id} of this definition is going on in process {holder.pid} on {holder.host}: "
            "wait for it to end, or stop it"
        )
    lost = connection.execute(
        update(run)
        .where(run.c.id == row.id, run.c.status == RunStatus.RUNNING)
        .values(status=RunStatus.LOST, finished_at=now, message="its process ended before it could record")
    )
    return bool(lost.rowcount)


def rescue(database: Database) -> int:
    """Mark the runs as lost whose holder is dead or silent; gives how many. Nobody has to want their definitions."""
    with database.read() as connection:
        now = database.now(connection)
        ended = [
            row.definition_id
            for row in connection.execute(_RUNNING)
            if row.lease_until < now or Holder.parse(row.holder).provably_dead()
        ]
    rescued = 0
    for definition_id in ended:
        with suppress(RunBusy), database.write() as connection:
            rescued += refuse_busy(database, connection, definition_id)
    return rescued


def shown(connection: Connection, definition_id: int) -> int | None:
    """How many exits the last run held; ``None`` when it held none."""
    row = connection.execute(_LAST, {"refreshed": definition_id}).one_or_none()
    return row.held if row is not None and row.status == RunStatus.HELD else None


_LAST = (
    select(run.c.status, run.c.held)
    .where(run.c.definition_id == bindparam("refreshed"), run.c.status.in_((RunStatus.SUCCEEDED, RunStatus.HELD)))
    .order_by(run.c.id.desc())
    .limit(1)
)


_STILL_OURS = text("SELECT 1 FROM run WHERE id = :id AND token = :token AND status = 'running'")
_KEEP_RUN = text("SELECT 1 FROM run WHERE id = :id AND token = :token AND status = 'running' FOR UPDATE")
_KEEP_DEFINITION = text("SELECT 1 FROM definition WHERE id = :id FOR NO KEY UPDATE")


def fence(connection: Connection, claimed: ClaimedRun) -> None:
    """The first statements of a recording: raise `RunLost` unless the run is still ours; on PostgreSQL, keep it so.

    Everybody who locks both takes the definition before the run. While the definition is locked nobody else can claim
    a run of it, nor read its snapshot to owe something anew (R6). The tick is only looked at: should it be taken away
    while we record, whoever takes it finds it recorded.
    """
    if claimed.tick is not None:
        configurations.keep(connection)
        _refuse_taken(connection, claimed.tick)
    ours = {"id": claimed.id, "token": claimed.token}
    on_postgresql = connection.dialect.name == "postgresql"
    if on_postgresql:
        connection.execute(_KEEP_DEFINITION, {"id": claimed.definition_id})
    if connection.execute(_KEEP_RUN if on_postgresql else _STILL_OURS, ours).one_or_none() is None:
        raise RunLost(f"run {claimed.id} was taken over by another process: nothing was recorded by this one")


_OURS = update(run).where(
    run.c.id == bindparam("ours"), run.c.token == bindparam("our_token"), run.c.status == RunStatus.RUNNING
)


def finish(
    connection: Connection,
    claimed: ClaimedRun,
    status: RunStatus,
    counts: Counts,
    at: datetime,
    message: str | None = None,
    told: Mapping[str, object] | None = None,
) -> None:
    """End a run inside its recording transaction; ``told`` is what it evaluated."""
    ended = {"status": status.value, "finished_at": at, "message": message, **asdict(counts), **(told or {})}
    done = connection.execute(_OURS, {"ours": claimed.id, "our_token": claimed.token, **ended})
    if done.rowcount != 1:
        raise RunLost(f"run {claimed.id} was taken over by another process: nothing was recorded by this one")


def fail(database: Database, claimed: ClaimedRun, error: BaseException) -> None:
    """End a run that could not record. When the store cannot take even that, the run's lease ends it, and ``error``
    stays what the caller hears of."""
    message = str(error) if isinstance(error, SyncError) else f"stopped by {type(error).__name__}"
    status = RunStatus.LOST if isinstance(error, RunLost) else RunStatus.FAILED
    with suppress(StoreError), database.write() as connection:
        connection.execute(
            update(run)
            .where(run.c.id == claimed.id, run.c.token == claimed.token, run.c.status == RunStatus.RUNNING)
            .values(status=status, finished_at=database.now(connection), message=message[:LONGEST_MESSAGE])
        )


def _renew(database: Database, claimed: ClaimedRun) -> bool:
    with database.write() as connection:
        until = database.now(connection) + timedelta(seconds=LEASE_SECONDS)
        return bool(
            connection.execute(
                update(run)
                .where(run.c.id == claimed.id, run.c.token == claimed.token, run.c.status == RunStatus.RUNNING)
                .values(lease_until=until)
            ).rowcount
        )


@contextmanager
def heartbeat(database: Database, claimed: ClaimedRun) -> Iterator[None]:
    """Keep a run's lease alive while a source takes its time. A missed beat is no error here: the fence decides."""
    stopped = threading.Event()

    def beat() -> None:
        while not stopped.wait(LEASE_SECONDS / 3):
            try:
                if not _renew(database, claimed):
                    return
            except SyncError:
                continue

    thread = threading.Thread(target=beat, name=f"run-{claimed.id}-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
