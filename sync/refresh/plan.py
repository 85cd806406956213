"""What a sync would send: the very statements of a recording, run on copies that only this session sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.errors import StoreError, SyncError
from sync.model.definition import Definition
from sync.model.guard import Hold
from sync.model.run import Counts, RunKind
from sync.refresh.reading import Before, read
from sync.refresh.removal import Removed, absent, as_definition
from sync.source.connection import Source
from sync.store import definitions, enrolments, recording, runs, watermarks
from sync.store.engine import Database
from sync.store.recorded import Sample
from sync.store.recording import NOT_RECORDED_YET


@dataclass(frozen=True, slots=True)
class Planned:
    """One definition's part of a plan. ``joined`` are destinations that would get all of its members; ``full``: why everybody
    was evaluated, ``None`` for only those who could have changed."""

    definition: Definition
    counts: Counts
    hold: Hold | None
    joined: tuple[str, ...]
    samples: tuple[Sample, ...]
    full: str | None


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan. ``users`` are the distinct users per destination who would be sent something, with what is already
    owed to them; ``owed`` how many of those were owed something before; ``unheard`` the users who are owed nothing but
    what no mapping takes. ``failed`` pairs a definition's key with its error."""

    definitions: tuple[Planned, ...]
    removed: tuple[Removed, ...]
    users: Mapping[str, int]
    owed: Mapping[str, int]
    unheard: Mapping[str, int]
    failed: tuple[tuple[str, SyncError], ...] = ()


def plan(
    database: Database,
    sources: Mapping[str, Source],
    asked: Sequence[Definition],
    destinations: Sequence[str],
    *,
    as_of: datetime,
    forced: bool = False,
    kept: Sequence[Definition] | None = None,
    unheard: Mapping[str, Sequence[str]] | None = None,
    full: bool = False,
) -> Plan:
    """Rehearse a delta of ``asked``, in full or by what changed, as that would do it. With ``kept`` (all definitions of the file), removals are rehearsed too.

    ``unheard`` are the keys that no mapping of a destination takes, by the destination's name.
    """
    deaf_to = {destination: (unheard or {}).get(destination, ()) for destination in destinations}
    with recording.session(database) as session:
        session.begin_rehearsal()
        owed = {destination: session.owed_users(destination, keys) for destination, keys in deaf_to.items()}
        planned: list[Planned] = []
        failed: list[tuple[str, SyncError]] = []
        for each in asked:
            try:
                planned.append(
                    _rehearse(database, session, sources[each.source], each, as_of, forced=forced, full=full)
                )
            except StoreError:
                raise
            except SyncError as error:
                failed.append((each.key, error))
        removed: list[Removed] = []
        if kept is not None:
            for known in absent(database, kept):
                cleared = session.rehearse_removal(known, as_definition(known))
                removed.append(Removed(known.key, known.name, known.kind, cleared))
        users = {destination: session.owed_users(destination, keys) for destination, keys in deaf_to.items()}
        left = {each: session.owed_users(each) - users[each] if deaf_to[each] else 0 for each in destinations}
    return Plan(tuple(planned), tuple(removed), users, owed, left, tuple(failed))


def _rehearse(
    database: Database,
    session: recording.Session,
    source: Source,
    asked: Definition,
    as_of: datetime,
    *,
    forced: bool,
    full: bool,
) -> Planned:
    with database.read() as connection:
        known = definitions.find(connection, asked.key)
        definitions.check_key(asked, known)
        runs.check_as_of(asked, known, as_of, forced=forced)
        definition_id = known.id if known else NOT_RECORDED_YET
        decided = enrolments.decide(connection, definition_id, asked.destinations, RunKind.DELTA)
        shown = runs.shown(connection, definition_id)
        known_of_source = watermarks.find(connection, definition_id)
    before = Before(known_of_source, shown is not None, decided.everybody)
    rows, reading = read(session, source, asked, before, as_of=as_of, full=full or forced)
    done, samples = session.rehearse(asked, rows, decided, shown, forced=forced, reading=reading)
    return Planned(asked, done.counts, done.hold, done.joined, tuple(samples), reading.course.full)
