"""What Python makes of the rows of an answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest

from sync.language.sql import as_it_is
from sync.source.questions import Asked


def asked(*decoded: Callable[[object], object]) -> Asked:
    return Asked("SELECT", {}, decoded)


@pytest.mark.parametrize("decoded", [(), (as_it_is,), (as_it_is, as_it_is)])
def test_rows_of_which_nothing_is_to_be_made_are_not_made_anew(decoded: tuple[Callable[[object], object], ...]) -> None:
    rows: list[tuple[object, ...]] = [("ann", Decimal("1.50"), 2), ("bob", None, 3)]
    assert asked(*decoded).rows(rows) is rows


def test_of_what_comes_in_a_form_of_its_own_each_value_is_read() -> None:
    rows: list[tuple[object, ...]] = [("ann", 1, "x"), ("bob", 2, "y")]
    assert asked(as_it_is, lambda value: f"{value}!").rows(rows) == [("ann", 1, "x!"), ("bob", 2, "y!")]


def test_a_value_that_cannot_be_carried_any_further_is_missing() -> None:
    rows: list[tuple[object, ...]] = [("ann", float("inf")), ("bob", "a\0b"), ("cid", 1.5)]
    assert asked(lambda value: value).rows(rows) == [("ann", None), ("bob", None), ("cid", 1.5)]
