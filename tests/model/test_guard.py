from __future__ import annotations

import pytest

from sync.model.guard import Hold, judge


def held(
    before: int,
    exits: int,
    max_exits: float = 0.5,
    *,
    entered: int = 0,
    forced: bool = False,
    shown: int | None = None,
) -> Hold | None:
    after = before - exits + entered
    return judge(before=before, after=after, exits=exits, max_exits=max_exits, forced=forced, shown=shown)


@pytest.mark.parametrize(
    ("before", "exits", "hold"),
    [
        (10, 10, None),
        (11, 11, Hold.EMPTY),
        (20, 10, None),
        (21, 11, Hold.TOO_MANY),
        (22, 11, None),
        (1000, 501, Hold.TOO_MANY),
        (1000, 500, None),
        (1000, 1000, Hold.EMPTY),
    ],
)
def test_exits_are_held_when_more_than_ten_and_more_than_the_share_or_all(
    before: int, exits: int, hold: Hold | None
) -> None:
    assert held(before, exits) is hold


def test_an_audience_whose_members_all_changed_is_not_empty() -> None:
    assert held(100, 100, entered=100) is Hold.TOO_MANY
    assert held(100, 100, max_exits=1.0, entered=100) is None
    assert held(100, 100, max_exits=1.0) is Hold.EMPTY


def test_an_approval_is_a_ceiling_not_a_licence() -> None:
    assert held(100, 80, forced=True, shown=80) is None
    assert held(100, 81, forced=True, shown=80) is Hold.MORE_THAN_SHOWN
    assert held(100, 100, forced=True, shown=None) is None
