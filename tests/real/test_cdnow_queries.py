"""The purchase log once more: definitions in Segment's language, most runs of them incremental, send what those in SQL send,
day by day, user by user."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from sync.store.engine import connect
from tests.command import Project, serving
from tests.conftest import ENGINES
from tests.kept import KeptStores
from tests.real.purchases import fill, in_sql, read
from tests.shop import Shop
from tests.soak import FULL

FIRST = date(1997, 6, 30)
DAYS = range(0, 32, 1 if FULL else 6)
PART = "" if FULL else "7"
"""CI takes the customers whose number ends so, and fewer days."""

SOURCE = {
    "events": [
        {
            "table": "purchases",
            "event": "Order Completed",
            "user_id": "customer_id",
            "timestamp": "day",
            "cursor": "id",
            "lateness": "0s",  # all rows are there, so that every run but the first can be incremental
        }
    ]
}
QUERIES = {
    "audiences": [
        {
            "name": "Ordered in the Last 30 Days",
            "query": "event('Order Completed').within(30 days).count() >= 1",
        },
        {"name": "Big Spenders", "query": "trait('total_spend') > 100"},
    ],
    "traits": [
        {"name": "Total Spend", "query": "event('Order Completed').sum(property('dollars'))"},
        {"name": "Last Order Date", "query": "event('Order Completed').last(property('ordered_on'))"},
    ],
}


@dataclass
class Twins:
    """Two projects that ask the same of one customer's database, each with a store and a sandbox of its own."""

    in_sql: Project
    as_queries: Project

    def sent(self, *arguments: str) -> list[dict[str, list[Any]]]:
        """What each sandbox receives while a command runs: per user, the bodies in their order."""
        return [_sent(project, arguments) for project in (self.in_sql, self.as_queries)]

    def incremental_runs(self) -> int:
        """How many runs of the queries looked only at those for whom something can have changed."""
        store = self.as_queries.document["store"]
        database = connect(store) if isinstance(store, str) else connect(store["url"], store["schema"])
        with closing(database), database.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT count(*) FROM run WHERE extent = 'incremental'")
            return int(found.scalar_one())


def _sent(project: Project, arguments: tuple[str, ...]) -> dict[str, list[Any]]:
    before = project.sandbox.requests
    done = project.json(*arguments)
    assert done["exit_code"] == 0, done
    bodies: dict[str, list[Any]] = defaultdict(list)
    for request in project.sandbox.log:
        if request.seq > before:
            assert request.user_id is not None
            bodies[request.user_id].append(request.body)
    return dict(bodies)


@pytest.fixture(params=ENGINES)
def twins(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Twins]:
    shop: Shop = request.getfixturevalue(f"{request.param}_shop")
    fill(shop, [order for order in read() if order.customer.endswith(PART)])
    # What is the time of an event is none of its properties: a view names it once more.
    shop.run("CREATE VIEW purchases AS SELECT orders.*, day AS ordered_on FROM orders")
    with ExitStack() as stack:
        projects = []
        for name, definitions in (("sql", in_sql(shop.dialect)), ("query", QUERIES)):
            (tmp_path / name).mkdir()
            store: object = f"sqlite:///{tmp_path / name / 'store.db'}"
            if shop.dialect == "postgresql":
                kept: KeptStores = request.getfixturevalue("kept_stores")
                store = {"url": kept.server, "schema": stack.enter_context(kept.one())}
            project = stack.enter_context(serving(tmp_path / name, store, shop.url, **definitions))
            project.write(sources={"shop": {"url": shop.url, **SOURCE}})
            projects.append(project)
        yield Twins(*projects)


@pytest.mark.soak
def test_definitions_as_queries_send_what_definitions_in_sql_send(twins: Twins) -> None:
    users = []
    for day in (FIRST + timedelta(days=number) for number in DAYS):
        expected, sent = twins.sent("delta" if users else "backfill", "--as-of", str(day))
        assert sent == expected, day
        users.append(len(expected))
    assert users[0] > 10 * max(users[1:])  # everybody once, and then only those who changed
    assert max(users[1:]) > 0
    assert twins.incremental_runs() > 0
    assert twins.in_sql.sandbox.users() == twins.as_queries.sandbox.users()
