"""Refreshing by what has changed, from the command line: what is said of it, and what is done when it missed something."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Project, serving
from tests.shop import Shop

ORDERS = {
    "table": "orders",
    "event": "Order Completed",
    "user_id": "customer",
    "timestamp": "ordered_at",
    "cursor": "id",
    "lateness": "0 s",
}


@pytest.fixture
def project(sqlite_shop: Shop, tmp_path: Path) -> Iterator[Project]:
    """A shop with two orders, a query that can be refreshed incrementally, and two definitions that cannot."""
    sqlite_shop.run("CREATE TABLE orders (id integer PRIMARY KEY, customer text, ordered_at text)")
    sqlite_shop.run("INSERT INTO orders VALUES (1, 'ann', '2026-11-01'), (2, 'bob', '2026-11-01')")
    audiences = [
        {"name": "Buyers", "query": "event('Order Completed').count() >= 1"},
        {"name": "Others", "query": "trait('town') = 'Oslo'"},
        {"name": "Everybody", "sql": "SELECT DISTINCT customer AS user_id FROM orders"},
    ]
    with serving(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", sqlite_shop.url, audiences=audiences) as made:
        sqlite_shop.run("CREATE TABLE people (id text, town text)")
        profiles = {"table": "people", "user_id": "id"}
        made.write(sources={"shop": {"url": sqlite_shop.url, "events": [ORDERS], "profiles": profiles}})
        yield made


def buyers(found: list[dict[str, object]]) -> dict[str, object]:
    return {each["key"]: each for each in found}["buyers"]  # type: ignore[return-value]


def test_status_says_which_definitions_are_refreshed_in_full_and_why(project: Project) -> None:
    before = {each["key"]: each["refresh"] for each in project.json("status")["definitions"]}
    assert {each["why_full"] for key, each in before.items() if key != "everybody"} == {"it was not refreshed before"}
    project.done("delta")
    found = {each["key"]: each["refresh"] for each in project.json("status")["definitions"]}
    assert [each["extent"] for each in found.values()] == ["incremental", "full", "full"]
    assert found["buyers"]["full_due_at"] > found["buyers"]["full_at"]
    assert "profiles table 'people' has no `cursor`" in found["others"]["why_full"]
    assert found["everybody"]["why_full"] == "`sql:` is read whole each time"
    said = project.done("status").out
    for words in ("what changed", "has no `cursor`", "`sql:` is read whole each time"):
        assert words in said


def test_runs_say_what_they_evaluated(project: Project, sqlite_shop: Shop) -> None:
    first = buyers(project.json("delta")["runs"])
    assert (first["full"], first["candidates"]) == ("it was not refreshed before", None)
    sqlite_shop.run("INSERT INTO orders VALUES (3, 'cid', '2026-11-01')")
    planned = buyers(project.json("plan")["definitions"])
    second = buyers(project.json("delta")["runs"])
    assert (second["full"], second["candidates"], second["entered"]) == (None, 1, 1)
    assert (planned["full"], planned["entered"]) == (None, 1)
    run = project.json("runs", "show", str(second["run"]))
    assert (run["extent"], run["why_full"], run["candidates"], run["missed"]) == ("incremental", None, 1, None)
    assert "1 candidate" in project.done("runs", "buyers").out
    assert buyers(project.json("plan", "--full")["definitions"])["full"] == "it was asked for"
    assert buyers(project.json("delta", "--full")["runs"])["full"] == "it was asked for"


def test_what_was_missed_is_told_until_somebody_acknowledges_it(project: Project, sqlite_shop: Shop) -> None:
    project.done("delta")
    sqlite_shop.run("DELETE FROM orders WHERE id = 1")
    assert buyers(project.json("delta")["runs"])["exited"] == 0
    said = project.done("delta", "buyers", "--full").out
    assert "BROKEN buyers: 1 user had changed although no row said so" in said
    refresh = buyers(project.json("status")["definitions"])["refresh"]
    assert isinstance(refresh, dict)
    assert (refresh["extent"], refresh["missed"]) == ("full", 1)
    assert "engage-sync audience acknowledge buyers" in project.done("status").out
    assert buyers(project.json("delta")["runs"])["full"] == "incremental runs missed changes"
    assert project.json("audience", "acknowledge", "Buyers") == {"key": "buyers", "missed": 1}
    assert "nothing is to be acknowledged" in project.done("audience", "acknowledge", "buyers").out
    assert buyers(project.json("delta")["runs"])["full"] is None


def test_an_edited_file_is_known_by_status_before_the_next_run(project: Project) -> None:
    project.done("delta")
    edited = [{**each, "query": "event('Order Completed').count() >= 2"} for each in project.document["audiences"][:1]]
    project.write(audiences=edited)
    refresh = buyers(project.json("status")["definitions"])["refresh"]
    assert isinstance(refresh, dict)
    assert refresh["why_full"] == "its question, or a table that it reads, is another than last time"
