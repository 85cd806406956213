"""A slot: everything still owed to one user at one destination, as one row; and what a claim hands to the sender."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Any

import orjson


class SlotState(StrEnum):
    """``due → sending → (gone | confirm | waiting | parked)``; new content re-activates ``confirm`` and ``parked``."""

    DUE = "due"
    SENDING = "sending"
    CONFIRM = "confirm"
    WAITING = "waiting"
    PARKED = "parked"


class Priority(IntEnum):
    """Smaller goes first; a merge keeps the smaller."""

    DELTA = 0
    BACKFILL = 1


@dataclass(frozen=True, slots=True)
class ClaimedSlot:
    """One claimed slot.

    ``owed`` maps a definition's key to its value, ``versions`` the same keys to the versions claimed; ``version`` is the
    slot's newest. ``doubt`` means an earlier send has an unknown outcome. ``failing_since`` is the first failure of the
    present series; ``owed_since`` is when the change was decided, the same for every try. ``confirmed`` has, for keys
    that are sent once more (R4), the version they had before: when their value was recorded.
    """

    user_id: str
    token: str
    version: int
    owed: dict[str, object]
    versions: dict[str, int]
    enrichment: dict[str, object]
    doubt: bool
    attempts: int
    failing_since: datetime | None
    owed_since: datetime
    confirmed: Mapping[str, int] = field(default_factory=dict)

    def recorded(self, key: str) -> int:
        """When the value of a key was recorded, by the counter that numbers events as well."""
        return self.confirmed.get(key, self.versions[key])

    @classmethod
    def parse(
        cls,
        *,
        user_id: str,
        token: str,
        version: int,
        owed: str | dict[str, list[Any]],
        enrichment: str | dict[str, object],
        doubt: bool,
        attempts: int,
        failing_since: datetime | None,
        owed_since: datetime,
    ) -> ClaimedSlot:
        """From a row whose ``owed`` is ``{key: [value, version]}``, as JSON or read already; a third item of the list is
        the version that a key had before it was to be confirmed."""
        pairs: dict[str, list[Any]] = orjson.loads(owed) if isinstance(owed, str) else owed
        values: dict[str, object] = {}
        versions: dict[str, int] = {}
        confirmed: dict[str, int] = {}
        for key, pair in pairs.items():
            values[key], versions[key] = pair[0], pair[1]
            if len(pair) > 2:
                confirmed[key] = pair[2]
        return cls(
            user_id,
            token,
            version,
            values,
            versions,
            orjson.loads(enrichment) if isinstance(enrichment, str) else enrichment,
            doubt,
            attempts,
            failing_since,
            owed_since,
            confirmed,
        )

    def idempotency_key(self, destination: str, versions: Mapping[str, int] | None = None) -> str:
        """The same for every send of the same ``versions`` (all that were claimed) to the same user and destination (R5)."""
        carried = self.versions if versions is None else versions
        content = orjson.dumps([destination, self.user_id, carried], option=orjson.OPT_SORT_KEYS)
        return "sync_" + hashlib.blake2b(content, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Alike:
    """Claimed slots that differ in nothing but their ``users``; ``slot`` is that of the first one."""

    slot: ClaimedSlot
    users: Sequence[str]

    def __iter__(self) -> Iterator[ClaimedSlot]:
        return map(self.of, self.users)

    def __len__(self) -> int:
        return len(self.users)

    def of(self, user_id: str) -> ClaimedSlot:
        """One user's slot."""
        return replace(self.slot, user_id=user_id)
