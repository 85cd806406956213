"""A session in which one answer is staged, compared with the snapshot, and recorded or only rehearsed.

The order of the steps is here, once; the statements whose plan is the design are the engines' own
(``sqlite/recording.py``, ``postgresql/recording.py``). ``record`` is one transaction: a death before its commit means
nothing happened, after it everything did.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import TypeVar

import orjson
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sync import telemetry
from sync.model.chunk import Chunk
from sync.model.definition import Definition
from sync.model.guard import Hold, judge
from sync.model.location import Location
from sync.model.run import ClaimedRun, Counts, RunKind, RunStatus
from sync.model.watermark import Course, Extent, Reading
from sync.store import barrier, definitions, enrolments, runs, suppressions, watermarks
from sync.store.candidates import MOST, ROOM, Difference, Few, NotFew, few, size
from sync.store.counter import next_version
from sync.store.engine import CONTENTION, Database
from sync.store.enrolments import Decided
from sync.store.postgresql import in_place
from sync.store.postgresql import staging as postgresql_staging
from sync.store.postgresql.recording import PostgresqlRecording
from sync.store.recordable import Recording, Statements
from sync.store.recorded import Recorded, Sample, samples
from sync.store.sqlite import staging as sqlite_staging
from sync.store.sqlite.recording import SqliteRecording

NOT_RECORDED_YET = -1
"""Stands for the id of a definition that the store does not know: no snapshot row has it."""


@dataclass(frozen=True, slots=True)
class _Compared:
    """``some``: what has changed, where that is in no table."""

    counts: Counts
    hold: Hold | None
    missed: int | None
    some: Difference | None


_Done = TypeVar("_Done")


WHOLE = Reading(Course("it is read whole each time"))
"""What is no query."""


class Session:
    """One connection with a staged answer. Use `session` to get one."""

    def __init__(self, database: Database, connection: Connection) -> None:
        self._database = database
        self._connection = connection
        self._few: Few | None = None
        self._leaves_nothing = True
        on_sqlite = database.dialect == "sqlite"
        self._statements: Statements = SqliteRecording() if on_sqlite else PostgresqlRecording()
        self._load = sqlite_staging.load if on_sqlite else postgresql_staging.load
        self._load_candidates = sqlite_staging.load_candidates if on_sqlite else postgresql_staging.load_candidates
        self._stage_candidates = sqlite_staging.stage_candidates if on_sqlite else postgresql_staging.stage_candidates

    def now(self) -> datetime:
        """The instant by the store's clock."""
        instant = self._database.now(self._connection)
        self._connection.rollback()
        return instant

    def load(self, chunks: Iterable[Chunk], columns: tuple[str, ...]) -> tuple[int, list[str]]:
        """Stage an answer; gives its rows and, when some user stands there twice, up to five such user ids."""
        self._leaves_nothing = False
        return self._load(self._connection, chunks, columns)

    def load_candidates(self, chunks: Iterable[Chunk], columns: tuple[str, ...]) -> int:
        """Put users aside who can have changed, with what they are now; gives their number."""
        taken: list[Chunk] = []
        following = iter(chunks)
        room = ROOM
        for chunk in following:
            taken.append(chunk)
            room -= size(chunk)
            if room < 0 or sum(len(each.user_ids) for each in taken) > MOST:
                self._few, self._leaves_nothing = None, False
                return self._load_candidates(self._connection, chain(taken, following), columns)
        self._few = few(taken)
        return sum(len(each.user_ids) for each in taken)

    def stage_candidates(self) -> tuple[int, list[str]]:
        """Stage those candidates who are in the answer; gives what `load` gives."""
        if self._few is not None:
            return self._few.present, self._few.doubled
        return self._stage_candidates(self._connection)

    def load_in_place(self, location: Location, asked: Definition) -> tuple[int, list[str], str | None] | None:
        """Stage a table of the store's own database without moving a row; ``None`` when that can't be done.

        Gives its rows, up to five doubled user ids, and what is wrong with the user ids, if anything.
        """
        if self._database.dialect != "postgresql" or not in_place.possible(self._connection, location, asked):
            return None
        self._leaves_nothing = False
        return in_place.load(self._connection, location, asked)

    def record(
        self,
        claimed: ClaimedRun,
        asked: Definition,
        members: int,
        backfilled: Sequence[str] | None,
        reading: Reading = WHOLE,
    ) -> Recorded:
        """Compare ``members`` staged rows and record, in one transaction; `RunLost` when the run is no longer ours."""
        version = self._new_version()

        def once() -> Recorded:
            for last in (False, False, True):
                try:
                    done = self._record(claimed, asked, members, backfilled, version, reading)
                    break
                except DBAPIError as error:
                    if last or getattr(error.orig, "sqlstate", None) not in CONTENTION:
                        raise
            return done

        done = self._of_few_or_staged(once)
        telemetry.step("refresh.committed", definition=asked.key)
        try:
            self._statements.tidy(self._connection, done.counts.entered + done.counts.exited + done.counts.changed)
        except DBAPIError as error:
            # It is recorded; the next diff is only slower.
            telemetry.event("refresh.untidy", level=logging.WARNING, definition=asked.key, reason=type(error).__name__)
        return done

    def _of_few_or_staged(self, work: Callable[[], _Done]) -> _Done:
        """Do it; where what is held of few users is not enough, with them where many would have been staged."""
        try:
            return work()
        except NotFew:
            some, self._few, self._leaves_nothing = self._few, None, False
            if some is not None:
                chunk = Chunk(some.user_ids, some.values, [extra or "{}" for extra in some.extras])
                self._load_candidates(self._connection, [chunk], ("user_id", "value", "extra"))
                self._stage_candidates(self._connection)
            return work()

    def _new_version(self) -> int | None:
        """What marks all that a recording owes; ``None`` on SQLite, where it is taken under the lock that the recording has.

        It need not wait for the disk: what is owed with it is committed later, and cannot be on disk without it.
        """
        if self._database.dialect == "sqlite":
            return None
        with self._database.transaction(self._connection, waits=False):
            return next_version(self._connection)

    def _record(
        self,
        claimed: ClaimedRun,
        asked: Definition,
        members: int,
        backfilled: Sequence[str] | None,
        version: int | None,
        reading: Reading,
    ) -> Recorded:
        connection = self._connection
        # Were it lost, it would be found once more: nothing of it is sent before a claim has waited for the disk, and for this.
        # But to send everybody everything, or to let held exits go, is asked for by somebody, who would not ask again.
        waits = claimed.forced or claimed.kind is RunKind.BACKFILL
        with self._database.in_turn(), self._database.transaction(connection, waits=waits):
            barrier.shared(connection)
            runs.fence(connection, claimed)
            recording = self._recording(asked, claimed.definition_id, claimed.id, version, reading)
            decided = enrolments.decide(connection, claimed.definition_id, asked.destinations, claimed.kind, backfilled)
            some_only = self._few is not None and reading.course.extent is Extent.INCREMENTAL
            if some_only and decided.everybody:
                raise NotFew
            found = self._compare(recording, members, reading, forced=claimed.forced, shown=claimed.shown)
            counts, hold = found.counts, found.hold
            self._advance(recording, decided, found)
            enrolments.enrol(connection, claimed.definition_id, decided, claimed.id)
            definitions.record(
                connection,
                claimed.definition_id,
                asked,
                as_of=claimed.as_of,
                members=counts.members,
                at=recording.at,
            )
            watermarks.record(connection, claimed.definition_id, reading, found.missed or 0, recording.at)
            status = RunStatus.SUCCEEDED if hold is None else RunStatus.HELD
            message = hold and hold.value
            runs.finish(connection, claimed, status, counts, recording.at, message, reading.told(found.missed))
            telemetry.step("refresh.recorded", definition=asked.key)
        return Recorded(counts, hold, decided.joined, decided.resumed, found.missed)

    def give_back(self) -> None:
        """Let others have the connection, unless what was staged would stay with it."""
        with suppress(SQLAlchemyError, sqlite3.Error):  # or else it is closed
            self._connection.rollback()
            if self._leaves_nothing or self._statements.swept(self._connection):
                self._connection.close()

    def remove(self, known: definitions.Recorded, asked: Definition) -> int:
        """Carry out a definition's removal, in one transaction; gives how many users are owed a last value.

        `RunBusy` while somebody is refreshing it: that run would record exits that no destination hears of.
        """
        version = self._new_version()
        connection = self._connection
        with self._database.in_turn(), self._database.transaction(connection):
            barrier.shared(connection)
            runs.refuse_busy(self._database, connection, known.id)
            run_id: int = connection.execute(text("SELECT coalesce(max(id), 0) FROM run")).scalar_one()
            recording = self._recording(asked, known.id, run_id, version)
            cleared = self._owe_clearing(recording) if asked.on_delete == "clear" else 0
            # Everything up to here was owed to its destinations; should it return, they have missed what comes after.
            enrolments.leave(connection, known.id, run_id + 1, enrolments.active(connection, known.id))
            watermarks.forget(connection, known.id)
            definitions.remove(connection, known.id, recording.at, cleared=asked.on_delete == "clear")
            self._leaves_nothing = False
        return cleared

    def begin_rehearsal(self) -> None:
        """From here on slots are copies of this session: nothing that follows can be seen by anybody else."""
        self._leaves_nothing = False
        with self._connection.begin():
            self._statements.shadow(self._connection, "slot")

    def rehearse(
        self,
        asked: Definition,
        members: int,
        decided: Decided,
        shown: int | None,
        *,
        forced: bool,
        reading: Reading = WHOLE,
    ) -> tuple[Recorded, list[Sample]]:
        """What `record` would do, with the very same statements on this session's copies; and some of the users."""

        def once() -> tuple[Recorded, list[Sample]]:
            connection = self._connection
            with connection.begin():
                known = definitions.find(connection, asked.key)
                definition_id = known.id if known else NOT_RECORDED_YET
                recording = self._recording(asked, definition_id, _AFTER_ALL_RUNS, _REHEARSED, reading)
                self._statements.begin_again(connection)
                found = self._compare(recording, members, reading, forced=forced, shown=shown)
                if found.some is not None:
                    self._statements.put(connection, found.some)
                found_some = samples(connection)
                if decided.everybody:
                    self._statements.shadow(connection, "snapshot", recording.definition_id)
                    self._statements.advance(connection, recording)
                self._owe(recording, decided)
                if decided.everybody:
                    self._statements.unshadow(connection, "snapshot")
            done = Recorded(found.counts, found.hold, decided.joined, decided.resumed, found.missed)
            return done, found_some

        return self._of_few_or_staged(once)

    def rehearse_removal(self, known: definitions.Recorded, asked: Definition) -> int:
        """How many users a removal would owe a last value."""
        if asked.on_delete != "clear":
            return 0
        with self._connection.begin():
            return self._owe_clearing(self._recording(asked, known.id, _AFTER_ALL_RUNS, _REHEARSED), advance=False)

    def owed_users(self, destination: str, besides: Sequence[str] = ()) -> int:
        """In a rehearsal: the users who would be owed something at ``destination``, other than values of ``besides``."""
        condition = f" AND {self._statements.owed_besides}" if besides else ""
        statement = text(f"SELECT count(*) FROM slot WHERE destination = :destination AND state <> 'parked'{condition}")
        asked = {"destination": destination} | ({"keys": orjson.dumps(besides).decode()} if besides else {})
        with self._connection.begin():
            number: int = self._connection.execute(statement, asked).scalar_one()
        return number

    def _recording(
        self, asked: Definition, definition_id: int, run_id: int, version: int | None, reading: Reading | None = None
    ) -> Recording:
        now = self._database.now(self._connection)
        found = self._connection.execute(_SO_FAR, {"counted": definition_id}).one()
        whole = reading is not None and reading.course.extent is Extent.FULL
        version = next_version(self._connection) if version is None else version
        first = whole and not definitions.has_snapshot(self._connection, definition_id)
        return Recording(asked, definition_id, run_id, version, now, found.members or 0, found.salt, first)

    def _compare(
        self, recording: Recording, staged: int, reading: Reading, *, forced: bool, shown: int | None
    ) -> _Compared:
        """Diff the ``staged`` rows against the snapshot; take held exits out of the difference."""
        connection, statements = self._connection, self._statements
        incremental, some = reading.course.extent is Extent.INCREMENTAL, None
        if incremental:
            if self._few is None:
                entered, exited, changed, _ = statements.compare_candidates(connection, recording)
            else:
                some = statements.compare_few(connection, recording, self._few)
                if not some.is_short:
                    raise NotFew
                entered, exited, changed = some.counted(recording.absent)
            before, members = recording.members, recording.members + entered - exited
        else:
            entered, exited, changed, forgotten = statements.compare(connection, recording)
            members = staged - forgotten
            before = members - entered + exited
        missed = None if incremental or reading.candidates is None else statements.missed(connection, self._few)
        counts = Counts(members, entered, exited, changed, members - entered - changed)
        allowed = recording.definition.max_exits
        hold = judge(before=before, after=members, exits=exited, max_exits=allowed, forced=forced, shown=shown)
        if hold is not None:
            if some is None:
                statements.hold_exits(connection)
            else:
                some = some.without_exits()
            counts = replace(counts, members=members + exited, exited=0, held=exited)
        return _Compared(counts, hold, missed, some)

    def _advance(self, recording: Recording, decided: Decided, found: _Compared) -> None:
        """Write down what changed, and owe it. Most runs of what few users do find nothing."""
        counts = found.counts
        if counts.entered or counts.exited or counts.changed:
            self._statements.advance(self._connection, recording, found.some)
        elif not decided.everybody:
            return
        self._owe(recording, decided, found.some)

    def _owe(self, recording: Recording, decided: Decided, some: Difference | None = None) -> None:
        """Put what changed into the slots of every destination of the definition.

        A destination that is new to it is owed the whole new snapshot; so is one that gets a backfill, where what
        changed just now still goes first.
        """
        for each in decided.enrolments:
            if each.joins or each.everyone:
                self._statements.owe_everyone(
                    self._connection, recording, each.destination, each.since, changes_first=not each.joins
                )
            else:
                self._statements.owe_changes(self._connection, recording, each.destination, some)
            self._statements.drop_empty(self._connection, each.destination)

    def _owe_clearing(self, recording: Recording, *, advance: bool = True) -> int:
        cleared = self._statements.clear(self._connection, recording.definition_id, recording.absent)
        for destination in enrolments.active(self._connection, recording.definition_id):
            self._statements.owe_changes(self._connection, recording, destination)
            self._statements.drop_empty(self._connection, destination)
        if advance:
            self._statements.advance(self._connection, recording)
        return cleared


_SO_FAR = select(
    definitions.MEMBERS.scalar_subquery().label("members"), suppressions.SALT_IN_USE.scalar_subquery().label("salt")
)

_AFTER_ALL_RUNS = 2**62
_REHEARSED = 2**62


@contextmanager
def session(database: Database) -> Iterator[Session]:
    """A session of its own connection; what it staged is gone with it, whatever happens."""
    with database.session() as connection:
        session = Session(database, connection)
        yield session
        session.give_back()
