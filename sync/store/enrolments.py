"""Which definition is sent to which destination; un-enrolling is remembered, so that no stale value survives a return."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from sync.model.run import RunKind
from sync.store.schema import enrolment
from sync.store.slots import owing


@dataclass(frozen=True, slots=True)
class Enrolment:
    """One destination of a definition in one run.

    ``joins``: new here (or back again), so it is owed the whole snapshot; ``since`` is the run at which it left, whose
    and whose followers' exits it has missed. ``everyone``: it gets a backfill. ``resumes``: a backfill that an earlier
    run began is not finished yet, so nothing is owed anew.
    """

    destination: str
    joins: bool
    everyone: bool
    resumes: bool
    since: int | None


@dataclass(frozen=True, slots=True)
class Decided:
    """What each wanted destination gets in one run, in the order of their names; ``leaving`` are wanted no more."""

    enrolments: tuple[Enrolment, ...]
    leaving: tuple[str, ...] = ()

    @property
    def everybody(self) -> bool:
        """Whether some destination gets everybody."""
        return any(each.joins or each.everyone for each in self.enrolments)

    @property
    def joined(self) -> tuple[str, ...]:
        """The destinations that are new here."""
        return tuple(each.destination for each in self.enrolments if each.joins)

    @property
    def resumed(self) -> tuple[str, ...]:
        """Those that have a backfill under way."""
        return tuple(each.destination for each in self.enrolments if each.resumes)


def decide(
    connection: Connection,
    definition_id: int,
    wanted: Iterable[str],
    kind: RunKind,
    backfilled: Sequence[str] | None = None,
) -> Decided:
    """What each wanted destination gets in a run of ``kind``; ``backfilled`` limits a backfill to some of them."""
    known = {row.destination: row for row in connection.execute(_KNOWN, {"definition": definition_id})}
    stays = sorted(wanted)
    decided = []
    # In one order for everybody: two recordings never wait for each other's slots.
    for destination in stays:
        row = known.get(destination)
        joins = row is None or not row.active
        asked = kind is RunKind.BACKFILL and (backfilled is None or destination in backfilled)
        unfinished = row is not None and row.active and row.backfill_run_id is not None and row.backfilled_at is None
        decided.append(
            Enrolment(
                destination,
                joins,
                everyone=asked and not unfinished,
                resumes=asked and unfinished,
                since=row.left_run_id if row is not None and joins else None,
            )
        )
    leaving = (name for name, row in known.items() if row.active and name not in stays)
    return Decided(tuple(decided), tuple(sorted(leaving)))


_KNOWN = select(enrolment).where(enrolment.c.definition_id == bindparam("definition"))


def enrol(connection: Connection, definition_id: int, decided: Decided, run_id: int) -> None:
    """Write down what was decided; destinations that are no longer wanted leave."""
    if decided.leaving:
        leave(connection, definition_id, run_id, decided.leaving)
    for each in decided.enrolments:
        if each.joins:
            _join(connection, definition_id, each, run_id)
        elif each.everyone:
            connection.execute(
                update(enrolment)
                .where(enrolment.c.definition_id == definition_id, enrolment.c.destination == each.destination)
                .values(backfill_run_id=run_id, backfilled_at=None)
            )


def _join(connection: Connection, definition_id: int, each: Enrolment, run_id: int) -> None:
    values = {"active": True, "enrolled_run_id": run_id, "backfill_run_id": run_id, "backfilled_at": None}
    found = connection.execute(
        update(enrolment)
        .where(enrolment.c.definition_id == definition_id, enrolment.c.destination == each.destination)
        .values(**values, left_run_id=None)
    ).rowcount
    if not found:
        connection.execute(
            enrolment.insert().values(definition_id=definition_id, destination=each.destination, **values)
        )


def active(connection: Connection, definition_id: int) -> list[str]:
    """The destinations that a definition is being sent to."""
    return list(
        connection.execute(
            select(enrolment.c.destination)
            .where(enrolment.c.definition_id == definition_id, enrolment.c.active)
            .order_by(enrolment.c.destination)
        ).scalars()
    )


def leave(connection: Connection, definition_id: int, run_id: int, destinations: Sequence[str]) -> None:
    """Take a definition from destinations that it is sent to."""
    mine = (enrolment.c.definition_id == definition_id, enrolment.c.destination.in_(destinations), enrolment.c.active)
    connection.execute(update(enrolment).where(*mine).values(active=False, left_run_id=run_id))


def finish_backfills(connection: Connection, destination: str, at: datetime) -> None:
    """Mark the backfills of a destination as finished, unless something is still owed there to be delivered."""
    connection.execute(
        update(enrolment)
        .where(
            enrolment.c.destination == destination,
            enrolment.c.backfill_run_id.is_not(None),
            enrolment.c.backfilled_at.is_(None),
            ~owing(destination),
        )
        .values(backfilled_at=at)
    )
