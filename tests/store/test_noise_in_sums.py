"""What the order of its rows does to the last digits of a sum is no change of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sync.model.definition import Definition, Question
from sync.store.engine import Database
from tests.recorder import claim, record, trait

MEAN = "event('Order Completed').avg(property('total'))"
BEFORE = {"ann": 42.5752941176471, "bob": 1e-07, "cid": 1_000_000_000_000_000, "dan": "42.5", "eve": -0.3}


def asked(*, inexact: bool) -> Definition:
    return replace(trait("mean"), query=Question(MEAN, inexact=inexact))


@pytest.mark.parametrize(
    "after", [{"ann": 42.575294117647}, {"bob": 1.00000000000001e-07}, {"eve": -0.30000000000000004}]
)
def test_another_last_digit_of_a_sum_is_no_change(database: Database, after: dict[str, object]) -> None:
    record(database, asked(inexact=True), BEFORE)
    claim(database)
    counts = record(database, asked(inexact=True), BEFORE | after).counts
    assert (counts.changed, counts.unchanged) == (0, len(BEFORE))
    assert claim(database) == []


@pytest.mark.parametrize(
    "after",
    [
        {"ann": 42.5752941177},
        {"bob": 1.1e-07},
        {"cid": 1_000_000_000_000_001},
        {"dan": "42.50"},
        {"eve": 0.3},
        {"ann": "a"},
    ],
)
def test_any_other_difference_is_one(database: Database, after: dict[str, object]) -> None:
    record(database, asked(inexact=True), BEFORE)
    assert record(database, asked(inexact=True), BEFORE | after).counts.changed == 1


def test_where_nothing_is_added_up_every_digit_counts(database: Database) -> None:
    record(database, asked(inexact=False), BEFORE)
    assert record(database, asked(inexact=False), BEFORE | {"ann": 42.575294117647}).counts.changed == 1
