"""What the engines' recording statements are told, and what they must be able to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from sqlalchemy import Connection

from sync.model.definition import Definition
from sync.store.candidates import Difference, Few


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording. ``version`` marks everything it owes; ``run_id`` is written to every snapshot row it changes.

    ``members`` is how many have a value so far. ``salt`` keys the hashes of users that are kept out; ``None`` while there are
    none. ``first``: nobody was ever recorded of the definition, so that whoever is staged has entered it.
    """

    definition: Definition
    definition_id: int
    run_id: int
    version: int
    at: datetime
    members: int = 0
    salt: str | None = None
    first: bool = False

    @property
    def absent(self) -> str:
        """The canonical value of a user who is not there now."""
        return self.definition.kind.absent

    @property
    def inexact(self) -> bool:
        """Whether the last digits of a value may be another's without meaning anything."""
        return self.definition.query is not None and self.definition.query.inexact


class Statements(Protocol):
    """What an engine must be able to do with the staged answer.

    ``owed_besides`` is the condition that a slot owes a key that is not among ``:keys`` (a JSON list).
    """

    owed_besides: ClassVar[str]

    def compare(self, connection: Connection, recording: Recording) -> tuple[int, int, int, int]:
        """Fill the TEMP table ``change`` (user_id, before, after, extra) and count (entered, exited, changed, forgotten).

        Who was forgotten is left out of it, and counted if they are in the staged answer. So is noise in a sum. In the
        ``first`` recording of a definition it is a view of the staged answer: nothing has to be compared, nor copied.
        """
        ...

    def compare_candidates(self, connection: Connection, recording: Recording) -> tuple[int, int, int, int]:
        """The same among the candidates only, which are staged; at the cost of looking each of them up."""
        ...

    def compare_few(self, connection: Connection, recording: Recording, few: Few) -> Difference:
        """The same among a few, without the table: what it would hold, but for what is cut off of long values before."""
        ...

    def put(self, connection: Connection, some: Difference) -> None:
        """Fill ``change`` with ``some``, for what needs it as a table."""
        ...

    def missed(self, connection: Connection, few: Few | None) -> int:
        """How many users in ``change`` are no candidates."""
        ...

    def clear(self, connection: Connection, definition_id: int, absent: str) -> int:
        """Fill ``change`` as if everybody had left; gives how many."""
        ...

    def hold_exits(self, connection: Connection) -> None:
        """Take the exits out of ``change``."""
        ...

    def advance(self, connection: Connection, recording: Recording, some: Difference | None = None) -> None:
        """Write ``change``, or ``some`` in its place, into the snapshot."""
        ...

    def owe_changes(
        self, connection: Connection, recording: Recording, destination: str, some: Difference | None = None
    ) -> None:
        """Merge ``change``, or ``some`` in its place, into the slots of ``destination``, with the priority of a delta."""
        ...

    def owe_everyone(
        self, connection: Connection, recording: Recording, destination: str, since: int | None, *, changes_first: bool
    ) -> None:
        """Merge the new snapshot into the slots of ``destination``, with the priority of a backfill.

        Users without a value are left out, but for those who lost theirs in the run ``since`` or a later one. With
        ``changes_first``, what is in ``change`` (exits too) is merged in the same pass with the priority of a delta:
        one pass in the order of user ids, so that two recordings never wait for each other.
        """
        ...

    def drop_empty(self, connection: Connection, destination: str) -> None:
        """Delete the slots in which nothing is owed any more."""
        ...

    def shadow(self, connection: Connection, table: str, definition_id: int | None = None) -> None:
        """From now on ``table`` means a copy in this session (of one definition's rows, where an id is given)."""
        ...

    def unshadow(self, connection: Connection, table: str) -> None:
        """Drop that copy: ``table`` means the store's own again."""
        ...

    def begin_again(self, connection: Connection) -> None:
        """Let nothing be left of the last difference, in a session in which several are rehearsed."""
        ...

    def swept(self, connection: Connection) -> bool:
        """Take away whatever was staged, outside a transaction; False where only the end of the connection does."""
        ...

    def tidy(self, connection: Connection, changes: int) -> None:
        """Upkeep after a recording of so many changes, in no transaction."""
        ...
