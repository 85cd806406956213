"""What the engines' recording statements are told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sync.model.definition import Definition


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording. ``version`` marks everything it owes; ``run_id`` is written to every snapshot row it changes.

    ``salt`` keys the hashes of users that are kept out; ``None`` while there are none.
    """

    definition: Definition
    definition_id: int
    run_id: int
    version: int
    at: datetime
    salt: str | None = None

    @property
    def absent(self) -> str:
        """The canonical value of a user who is not there now."""
        return self.definition.kind.absent

    @property
    def inexact(self) -> bool:
        """Whether the last digits of a value may be another's without meaning anything."""
        return self.definition.query is not None and self.definition.query.inexact
