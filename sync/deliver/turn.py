"""One turn of a claimed slot: its events one after another, and what became of each key.

A turn goes on past what is refused, so that one bad value keeps no other from arriving; it ends where the destination
says "not now" or may have missed something, or when nothing more may be sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sync.model.outcome import FILTERED, INVALID, Outcome
from sync.model.slot import ClaimedSlot
from sync.store.slots import Attempt

_MOST_REASONS = 3


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claimed slot and the monotonic instant at which its claim *started* (R2 counts from there)."""

    slot: ClaimedSlot
    since: float


@dataclass(slots=True)
class Turn:
    """What became of a slot so far.

    ``accepted``: keys and versions that need not be sent again. ``refusals``: sentences, for what cannot be sent as it
    is; ``blamed``: one of them at least is the destination's, and counts for the breaker. ``halt`` is the outcome that
    ended the turn; ``cut_short``: limits, breaker, leases or the caller did. ``postponed``: keys were left out, before
    which an event of the user goes.
    """

    claimed: Claimed
    allowed: Callable[[], bool]
    accepted: dict[str, int] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    blamed: bool = False
    halt: Outcome | None = None
    cut_short: bool = False
    postponed: bool = False
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def over(self) -> bool:
        """Nothing more is sent in this turn."""
        return self.cut_short or self.halt is not None

    def note(self, outcome: Outcome, traits: Mapping[str, object]) -> None:
        """Write one exchange down."""
        self.attempts.append(Attempt(outcome.verdict, outcome.status, outcome.detail, traits))

    def filtered(self, carried: Mapping[str, int], traits: Mapping[str, object]) -> None:
        """No mapping wants the event: its keys are done with."""
        self.attempts.append(Attempt(FILTERED, None, "no mapping wants it", traits))
        self.accepted.update(carried)

    def invalid(self, sentences: Sequence[str], traits: Mapping[str, object]) -> None:
        """Mappings that can make no request of the event; the destination was not asked."""
        self.attempts.extend(Attempt(INVALID, None, each, traits) for each in sentences)

    @property
    def reason(self) -> str | None:
        """Why the slot is not done with, for people."""
        if self.halt is not None:
            return described(self.halt)
        if not self.refusals:
            return None
        said = list(dict.fromkeys(self.refusals))
        more = len(said) - _MOST_REASONS
        return "; ".join(said[:_MOST_REASONS] + ([f"and {more} more"] if more > 0 else []))


def described(outcome: Outcome) -> str:
    """``422 no such field``, or what happened instead of an answer."""
    return f"{outcome.status} {outcome.detail}".strip() if outcome.status else outcome.detail
