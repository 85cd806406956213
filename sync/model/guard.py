"""When exits are held: a broken query must not take everybody out of an audience.

Exits are members who leave, or trait values that are lost. Entries and changes are never held.
"""

from __future__ import annotations

from enum import StrEnum

ALWAYS_ALLOWED = 10
"""So many exits are never suspicious, however small the audience."""


class Hold(StrEnum):
    """Why exits are held."""

    EMPTY = "the answer is empty"
    TOO_MANY = "more exits than the guard allows"
    MORE_THAN_SHOWN = "more exits than were shown when you decided to force them"


def judge(*, before: int, after: int, exits: int, max_exits: float, forced: bool, shown: int | None) -> Hold | None:
    """Whether to hold the exits of a run, and why.

    ``before`` members before and ``after`` in the answer, ``exits`` of them leaving, ``max_exits`` the allowed fraction. A forced run may apply as
    many exits as the last held run showed (``shown``): an approval is a ceiling, not a licence.
    """
    if exits <= ALWAYS_ALLOWED:
        return None
    if forced:
        return Hold.MORE_THAN_SHOWN if shown is not None and exits > shown else None
    if not after:
        return Hold.EMPTY
    return Hold.TOO_MANY if exits > max_exits * before else None
