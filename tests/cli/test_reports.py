"""Commands that report say the same to people and to machines, and end with the code that fits."""

from __future__ import annotations

from sync.store import leases
from sync.store.engine import connect
from tests.cli.conftest import USERS
from tests.command import Project

RUN_KEYS = {
    *("id", "definition_kind", "key", "name", "kind", "status", "as_of", "forced", "started_at", "finished_at"),
    *("members", "entered", "exited", "changed", "unchanged", "held", "message"),
    *("extent", "why_full", "candidates", "missed"),
}
COUNTS = {"members", "entered", "exited", "changed", "unchanged", "held"}


def test_status_shows_definitions_backlog_and_who_is_parked(synced: Project) -> None:
    said = synced.done("status").out
    for word in ("everybody", "listed", "switched off", "number", "succeeded (run 1)", "2026-01-01 00:00:00", "closed"):
        assert word in said

    found = synced.json("status")
    assert set(found) == {
        *("store", "definitions", "removed", "destinations", "collector", "log", "feeds", "configuration", "leases")
    }
    assert [each["key"] for each in found["definitions"]] == ["everybody", "listed", "number"]
    assert set(found["definitions"][0]) == {
        *("key", "kind", "name", "enabled", "members", "as_of", "recorded_at", "fresh_seconds", "last_run", "held"),
        *("hold", "last_tick", "next_run", "refresh"),
    }
    assert [each["members"] for each in found["definitions"]] == [10, 0, 10]
    (destination,) = found["destinations"]
    assert set(destination) == {
        *("name", "backlog", "breaker", "reason", "last_error", "last_error_at", "rate", "events", "deletions")
    }
    assert destination["backlog"]["parked"] == 1
    assert destination["breaker"] == "closed"
    assert found["leases"] == []


def test_status_shows_an_open_breaker_and_why(synced: Project) -> None:
    synced.sandbox.set_faults(status=401)
    synced.write(traits=[{"name": "Number", "sql": "select user_id, 99 as value from answer"}])
    done = synced.json("delta", "--wait", "0")
    assert done["exit_code"] == 1
    assert done["delivered"][0]["still_owed"] == 10
    (destination,) = synced.json("status")["destinations"]
    assert destination["breaker"] == "open"
    assert "401" in destination["reason"]
    assert "open: " in synced.done("status").out


def test_status_shows_who_holds_a_lease(synced: Project) -> None:
    store = synced.document["store"]
    database = connect(store["url"], store.get("schema"))
    try:
        assert isinstance(leases.acquire(database, "destination:pushwoosh", 60.0), leases.Lease)
        (lease,) = synced.json("status")["leases"]
        assert set(lease) == {"name", "host", "pid", "term", "until"}
        assert f"is held by process {lease['pid']} on" in synced.done("status").out
    finally:
        database.close()


def test_runs_are_listed_newest_first_and_by_definition(synced: Project) -> None:
    rows = synced.json("runs")
    assert [row["key"] for row in rows] == ["number", "everybody"]
    assert all(set(row) == RUN_KEYS for row in rows)
    assert [row["key"] for row in synced.json("runs", "Everybody")] == ["everybody"]
    assert [row["key"] for row in synced.json("runs", "--limit", "1")] == ["number"]
    assert [row["key"] for row in synced.json("runs", "--limit", "1", "everybody")] == ["everybody"]
    assert "backfill" in synced.done("runs").out
    assert "no run yet" in synced.done("runs", "Listed").out


def test_a_run_is_shown_whole(synced: Project) -> None:
    run = synced.json("runs", "show", "1")
    assert set(run) == RUN_KEYS
    assert (run["key"], run["kind"], run["status"], run["entered"]) == ("everybody", "backfill", "succeeded", 10)
    assert "everybody" in synced.done("runs", "show", "1").out


def test_a_user_is_shown_with_values_what_is_owed_and_what_was_sent(synced: Project) -> None:
    said = synced.done("user", "show", "u3").out
    for word in ("everybody", "true", "number", "run 1", "parked", "refused", "400"):
        assert word in said
    found = synced.json("user", "show", "u3")
    assert set(found) == {"user_id", "values", "owed", "attempts", "suppressed_since", "profile", "events"}
    assert {each["key"]: each["value"] for each in found["values"]} == {"everybody": True, "number": 3}
    assert found["owed"][0]["state"] == "parked"
    assert found["attempts"][0]["verdict"] == "refused"


def test_an_unknown_user_is_nobody(synced: Project) -> None:
    said = synced("user", "show", "nobody")
    assert (said.code, said.out) == (1, "")
    assert synced("user", "show", "nobody", "--json").code == 1
    assert synced.json("user", "show", "nobody")["values"] == []


def test_audiences_are_listed_with_their_sql_and_members(synced: Project) -> None:
    rows = synced.json("audience", "list")
    assert [set(row) for row in rows] == [
        {"key", "kind", "name", "source", "destinations", "members", "enabled"}
    ] * 3  # fmt: skip
    assert "Everybody" in synced.done("audience", "list").out
    assert synced.done("audience", "sql", "number").out.strip() == synced.document["traits"][0]["sql"]
    assert "FROM answer" in synced.done("audience", "sql", "Listed").out
    assert synced.done("audience", "members", "everybody").out.split() == USERS
    assert synced.done("audience", "members", "everybody", "--limit", "2").out.split() == USERS[:2]
    assert synced.done("audience", "members", "number", "--csv", "--limit", "2").out == "user_id,value\nu0,0\nu1,1\n"
    lines = synced.done("audience", "members", "number", "--json", "--limit", "1").out
    assert lines == '{"user_id":"u0","value":0}\n'


def test_parked_users_are_listed_shown_redriven_and_dropped(synced: Project) -> None:
    (row,) = synced.json("parked", "list")
    assert set(row) == {
        *("destination", "user_id", "state", "due_at", "owed_since", "attempts", "failing_since", "reason", "owed")
    }
    assert row["owed"] == {"everybody": True, "number": 3}
    assert "u3" in synced.done("parked", "list", "--destination", "pushwoosh").out

    said = synced.done("parked", "show", "u3").out
    assert "1 try" in said
    assert "number = 3" in said
    assert set(synced.json("parked", "show", "u3")) == {"parked", "attempts"}

    synced.sandbox.set_faults(fail_users=frozenset({"u3"}))
    again = synced("parked", "redrive", "u3", "--json")
    assert again.code == 1
    assert again.json["redriven"] == 1
    assert again.json["delivered"][0]["parked"] == 1

    synced.sandbox.set_faults(fail_users=frozenset())
    assert synced.json("parked", "redrive", "--all", "--no-deliver") == {"redriven": 1, "delivered": []}
    assert "1 user sent" in synced.done("delta").out
    assert synced.sandbox.accepted_count("u3") == 1
    assert "nobody is parked" in synced.done("parked", "list").out


def test_dropped_users_are_sent_again_when_something_changes(synced: Project) -> None:
    for act in ("drop", "redrive"):
        said = synced("parked", act, "nobody")
        assert (said.code, said.err) == (
            2,
            "error: none of these users is parked: engage-sync parked list shows who is\n",
        )
    assert "1 user dropped" in synced.done("parked", "drop", "u3").out
    synced.done("delta")
    assert synced.sandbox.accepted_count("u3") == 0
    synced.write(traits=[{"name": "Number", "sql": "select user_id, 7 as value from answer"}])
    synced.done("delta")
    assert synced.sandbox.values("u3", "number")[-1] == 7
