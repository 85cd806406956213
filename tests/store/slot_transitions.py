"""What the store makes of a slot's row: done by the real one on a scratch store, once for each situation, and remembered.

So whoever searches through what can happen to a slot searches the protocol as it is written in the statements, not a
drawing of it.
"""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from functools import cache
from typing import NamedTuple

import orjson

from sync.model.slot import ClaimedSlot
from sync.store import slots
from sync.store.engine import Database
from sync.store.instants import stamp
from sync.store.slots import Attempt, Settlement, Transition
from tests.recorder import LEASE, PUSH, QUIET, record, trait

USER = "ann"
WAIT = 10.0

Pairs = tuple[tuple[str, int], ...]
"""A number for each key, in the order of keys: values, or versions."""

HOW = {
    "accepted": (Transition.ACCEPT, False),
    "refused": (Transition.PARK, False),
    "waits": (Transition.DEFER, False),
    "unknown": (Transition.DEFER, True),
    "unsent": (Transition.RELEASE, False),
}
"""What a send may have become, as it is settled; and whether bytes may have left without an answer."""


class Row(NamedTuple):
    """The slot's row, as far as the protocol looks at it. ``due``: not in the future."""

    state: str
    due: bool
    doubt: bool
    version: int
    values: Pairs
    versions: Pairs
    base: Pairs


class Claim(NamedTuple):
    """What a claim handed out."""

    version: int
    doubt: bool
    values: Pairs
    versions: Pairs


class Transitions:
    """The transitions of one user's slot. ``asked`` counts the situations that were put to the store."""

    def __init__(self, database: Database, wanted: Pairs) -> None:
        self._database = database
        self._file = sqlite3.connect(str(database.engine.url.database), isolation_level=None)
        self._file.execute("PRAGMA synchronous = OFF")
        for key, value in wanted:
            record(database, trait(key), {})
            record(database, trait(key), {USER: value})
        self._definitions = dict(self._file.execute("SELECT key, id FROM definition"))
        self.asked = 0
        self.claim = cache(self._claim)
        self.settle = cache(self._settle)
        self.rescue = cache(self._rescue)
        self.unpark = cache(self._unpark)
        self.change = cache(self._change)

    def close(self) -> None:
        """The scratch store may be removed."""
        self._file.close()

    def _claim(self, row: Row) -> tuple[Row, Claim]:
        """Somebody takes it."""
        self._put(row)
        (slot,) = slots.claim(self._database, PUSH, 1, LEASE)
        taken = self._row()
        assert taken is not None
        return taken, Claim(slot.version, slot.doubt, _pairs(slot.owed), _pairs(slot.versions))

    def _settle(
        self, row: Row | None, wanted: Pairs, claim: Claim, how: str, accepted: Pairs, *, ours: bool
    ) -> Row | None:
        """Who claimed it settles. ``accepted``: these keys were, with their versions, and the rest became ``how``."""
        self._put(row, wanted)
        transition, unknown = HOW[how]
        slot = ClaimedSlot(
            user_id=USER,
            token="held" if ours else "lost",
            version=claim.version,
            owed=dict(claim.values),
            versions=dict(claim.versions),
            enrichment={},
            doubt=claim.doubt,
            attempts=0,
            failing_since=None,
            owed_since=self._database.clock.now(),
        )
        attempts = [Attempt(how, None, "", slot.owed)] if accepted or how != "unsent" else []
        settlement = Settlement(slot, transition, WAIT, unknown, None, dict(accepted) or None, attempts)
        slots.settle(self._database, PUSH, [settlement], QUIET)
        return self._row()

    def _rescue(self, row: Row) -> Row | None:
        """The lease of whoever has it runs out."""
        self._put(row, lease=-1)
        assert slots.rescue(self._database, PUSH) == 1
        return self._row()

    def _unpark(self, row: Row) -> Row | None:
        """Somebody says: try again."""
        self._put(row)
        assert slots.unpark(self._database, PUSH) == 1
        return self._row()

    def _change(self, row: Row | None, wanted: Pairs, key: str, value: int) -> Row | None:
        """A refresh finds another value."""
        self._put(row, wanted)
        record(self._database, trait(key), {USER: value})
        return self._row()

    def _put(self, row: Row | None, wanted: Pairs = (), *, lease: float = LEASE) -> None:
        self.asked += 1
        self._file.execute("BEGIN IMMEDIATE")
        self._file.execute("DELETE FROM slot")
        for key, value in wanted:
            known = (str(value), self._definitions[key])
            self._file.execute("UPDATE snapshot SET value = ? WHERE definition_id = ?", known)
        if row is not None:
            self._file.execute("UPDATE counter SET value = max(value, ?)", (row.version,))
            self._file.execute(_INSERT, self._columns(row, lease))
        self._file.execute("COMMIT")

    def _columns(self, row: Row, lease: float) -> dict[str, object]:
        sending, versions = row.state == "sending", dict(row.versions)
        return {
            "owed": orjson.dumps({key: [value, versions[key]] for key, value in row.values}).decode(),
            "base": orjson.dumps({key: [value] for key, value in row.base}).decode(),
            "version": row.version,
            "state": row.state,
            "doubt": row.doubt,
            "due_at": self._in(-1 if row.due else WAIT),
            "now": self._in(0),
            "token": "held" if sending else None,
            "lease_until": self._in(lease) if sending else None,
        }

    def _in(self, seconds: float) -> str:
        return stamp(self._database.clock.now() + timedelta(seconds=seconds))

    def _row(self) -> Row | None:
        found = self._file.execute("SELECT state, due_at, doubt, version, owed, base FROM slot").fetchall()
        if not found:
            return None
        ((state, due_at, doubt, version, owed, base),) = found
        pairs, before = orjson.loads(owed), orjson.loads(base)
        values, versions = ({key: pair[at] for key, pair in pairs.items()} for at in (0, 1))
        due = state in ("sending", "parked") or due_at <= self._in(0)
        first = {key: pair[0] for key, pair in before.items()}
        return Row(state, due, bool(doubt), version, _pairs(values), _pairs(versions), _pairs(first))


def _pairs(numbers: dict[str, int]) -> Pairs:
    return tuple(sorted(numbers.items()))


_INSERT = f"""
INSERT INTO slot (destination, user_id, owed, base, enrichment, version, state, doubt, priority, due_at, owed_since,
    token, lease_until)
VALUES ('{PUSH}', '{USER}', :owed, :base, '{{}}', :version, :state, :doubt, 0, :due_at, :now, :token, :lease_until)"""
