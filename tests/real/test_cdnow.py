"""A real purchase log, a month day by day through the command line, against plain Python on the same file.

Here everything is decimal arithmetic.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.command import Project, serving
from tests.conftest import ENGINES, Place
from tests.proofs import TRANSPORTS
from tests.real.purchases import LAST_ORDER, RECENT, SPEND, SPENDERS, Order, fill, in_sql, read
from tests.shop import Shop
from tests.soak import FULL

FIRST, LAST = date(1997, 6, 30), date(1997, 7, 31)
CI_LAST = {"sqlite": FIRST + timedelta(days=14), "postgresql": FIRST + timedelta(days=4)}

KEYS = (RECENT, SPENDERS, SPEND, LAST_ORDER)

Answers = dict[str, dict[str, object]]
"""Key → user id → value; a user who is not there has none."""


@pytest.fixture(scope="module")
def orders() -> list[Order]:
    return read()


def answers(orders: list[Order], today: date) -> Answers:
    """What every definition should answer as of the beginning of a day, by plain Python."""
    known = [order for order in orders if order.day <= today]
    spend: dict[str, Decimal] = defaultdict(Decimal)
    last: dict[str, date] = {}
    for order in known:
        spend[order.customer] += order.dollars
        last[order.customer] = max(order.day, last.get(order.customer, order.day))
    return {
        RECENT: {order.customer: True for order in known if order.day > today - timedelta(days=30)},
        SPENDERS: {customer: True for customer, dollars in spend.items() if dollars > 100},
        SPEND: {customer: float(dollars) for customer, dollars in spend.items()},
        LAST_ORDER: {customer: day.isoformat() for customer, day in last.items()},
    }


@dataclass
class Expected:
    """What the destination should hold, and what a sync should do, as the answers go on from day to day."""

    now: Answers = field(default_factory=lambda: {key: {} for key in KEYS})
    held: dict[str, dict[str, object]] = field(default_factory=lambda: defaultdict(dict))
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    changed_users: set[str] = field(default_factory=set)

    def move_to(self, new: Answers) -> None:
        """Note what changes from the last answers to ``new`` ones."""
        self.changed_users = set()
        for key in KEYS:
            before, after = self.now[key], new[key]
            entered, exited = after.keys() - before.keys(), before.keys() - after.keys()
            changed = {user for user in after.keys() & before.keys() if after[user] != before[user]}
            self.counts[key] = {"entered": len(entered), "exited": len(exited), "changed": len(changed)}
            for user in entered | changed:
                self.held[user][key] = after[user]
            for user in exited:
                self.held[user][key] = False  # only audiences lose anybody here
            self.changed_users |= entered | exited | changed
        self.now = new


@pytest.fixture(params=[*((engine, TRANSPORTS[0]) for engine in ENGINES), ("sqlite", TRANSPORTS[1])], ids="-".join)
def cdnow(request: pytest.FixtureRequest, tmp_path: Path, orders: list[Order]) -> Iterator[Project]:
    """The log as a customer's database, and a project with two audiences and two traits; the store on the same engine."""
    engine, transport = request.param
    shop: Shop = request.getfixturevalue(f"{engine}_shop")
    place: Place = request.getfixturevalue(f"{engine}_store_place")
    fill(shop, orders)
    store: dict[str, Any] = {"url": place.url} | ({"schema": place.schema} if place.schema else {})
    with serving(tmp_path, store, shop.url, transport=transport, **in_sql(engine)) as project:
        yield project


def counts(definitions: list[dict[str, Any]]) -> dict[str, dict[str, int]]:
    """What a plan or a sync says of every definition."""
    return {each["key"]: {name: each[name] for name in ("entered", "exited", "changed")} for each in definitions}


@pytest.mark.soak
def test_a_month_day_by_day_is_what_plain_python_says_and_nothing_else_is_sent(
    cdnow: Project, orders: list[Order]
) -> None:
    expected = Expected()
    day, command = FIRST, "backfill"
    last = LAST if FULL else CI_LAST[cdnow.document["store"]["url"].partition(":")[0].partition("+")[0]]
    while day <= last:
        expected.move_to(answers(orders, day))
        users = len(expected.changed_users)
        sent_before = cdnow.sandbox.accepted

        planned = cdnow.json("plan", "--as-of", str(day))
        assert counts(planned["definitions"]) == expected.counts, day
        assert planned["destinations"] == [{"name": "pushwoosh", "users": users, "filtered": 0, "already_owed": 0}], day
        assert cdnow.sandbox.accepted == sent_before, day

        done = cdnow.json(command, "--as-of", str(day))
        assert done["exit_code"] == 0, done
        assert counts(done["runs"]) == expected.counts, day
        assert done["delivered"][0]["accepted"] == cdnow.sandbox.accepted - sent_before == users, day

        held = {user: had["attributes"] for user, had in cdnow.sandbox.users().items()}
        assert held == expected.held, day

        again = cdnow.json("delta", "--as-of", str(day))
        assert again["exit_code"] == 0, again
        assert cdnow.sandbox.accepted == sent_before + users, day
        day, command = day + timedelta(days=1), "delta"
    assert not cdnow.sandbox.complaints
    assert cdnow.sandbox.requests == cdnow.sandbox.accepted
