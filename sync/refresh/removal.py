"""Definitions that left the file: un-enrolled, and cleared at the destinations when they were recorded to be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sync import telemetry
from sync.model.definition import Definition
from sync.store import definitions, recording
from sync.store.engine import Database


@dataclass(frozen=True, slots=True)
class Removed:
    """One removed definition, and how many users are sent a last ``false`` or null."""

    key: str
    name: str
    kind: str
    cleared: int


def absent(database: Database, asked: Sequence[Definition]) -> list[definitions.Recorded]:
    """Every recorded definition that is not in ``asked`` (all definitions of the file, enabled or not)."""
    with database.read() as connection:
        return definitions.absent_from(connection, [each.key for each in asked])


def remove(database: Database, known: definitions.Recorded) -> Removed:
    """Remove one definition. `RunBusy` while somebody is refreshing it."""
    with recording.session(database) as session:
        cleared = session.remove(known, as_definition(known))
    telemetry.event("definition.removed", definition=known.key, cleared=cleared)
    return Removed(known.key, known.name, known.kind, cleared)


def as_definition(known: definitions.Recorded) -> Definition:
    """What the store remembers of a definition, in the shape that a recording wants."""
    return Definition(known.kind, known.key, known.name, source="", destinations=(), on_delete=known.on_delete)
