"""``plan``, ``delta``, ``backfill``, ``check`` and ``migrate`` through the command line."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import USERS
from tests.command import Project, serving
from tests.shop import Shop

COUNTS = {"members", "entered", "exited", "changed", "unchanged", "held"}


def test_a_plan_has_the_documented_shape_and_changes_nothing(project: Project) -> None:
    made = project.json("plan")
    assert set(made) == {"definitions", "failed", "removed", "destinations", "notes"}
    assert set(made["definitions"][0]) == {"key", "kind", "hold", "joined", "full", "sample"} | COUNTS
    assert made["destinations"] == [{"name": "pushwoosh", "users": 10, "filtered": 0, "already_owed": 0}]
    assert project.sandbox.requests == 0
    assert "10 users would be sent" in project.done("plan").out
    assert project.json("runs") == []


def test_a_plan_goes_on_past_a_definition_that_fails(project: Project) -> None:
    broken = {"name": "Broken", "sql": "select user_id from nowhere"}
    project.write(audiences=[broken, *project.document["audiences"]])
    ended = project("plan")
    assert ended.code == 2
    assert "audience 'Broken'" in ended.err
    assert "10 users would be sent" in ended.out


def test_a_hold_stays_in_sight_when_a_later_run_fails(project: Project, sqlite_shop: Shop) -> None:
    project.write(audiences=[{"name": "All", "sql": "select user_id from everybody"}], traits=[])
    sqlite_shop.run("CREATE TABLE everybody (user_id text)")
    sqlite_shop.run("INSERT INTO everybody VALUES (?)", [(f"u{number}",) for number in range(20)])
    project.done("backfill")
    sqlite_shop.run("DELETE FROM everybody")
    assert project("delta").code == 1
    sqlite_shop.run("DROP TABLE everybody")
    assert project("delta").code == 2
    assert "HELD all: 20 exits held, because the answer is empty" in project.done("status").out


def test_a_delta_has_the_documented_shape(project: Project) -> None:
    done = project.json("delta")
    assert set(done) == {"runs", "failed", "removed", "delivered", "notes", "exit_code"}
    assert set(done["runs"][0]) == COUNTS | {
        *("run", "key", "kind", "status", "hold", "joined", "resumed", "full", "candidates", "missed")
    }
    assert set(done["delivered"][0]) == {
        *("destination", "users", "accepted", "filtered", "deferred", "refused", "parked", "owed_anew", "by_verdict"),
        *("still_owed", "stopped", "delivered_by", "by_others", "warnings"),
    }
    assert done["delivered"][0]["by_verdict"] == {"accepted": 10}
    assert "0 users sent" in project.done("delta").out


def test_what_is_left_in_the_outbox_is_delivered_by_the_next_delta(project: Project) -> None:
    assert "Nothing was sent" in project.done("delta", "--no-deliver").out
    assert project.sandbox.requests == 0
    assert project.json("status")["destinations"][0]["backlog"]["due"] == 10
    assert project.json("plan")["destinations"] == [
        {"name": "pushwoosh", "users": 10, "filtered": 0, "already_owed": 10}
    ]
    assert "10 users sent" in project.done("delta").out
    assert project.sandbox.accepted == 10


def test_a_backfill_of_one_destination_sends_every_member_there_only(project: Project) -> None:
    other = project.document["destinations"]["pushwoosh"] | {"app_code": "OTHER"}
    project.write(destinations=project.document["destinations"] | {"other": other})
    project.write(defaults={"source": "shop", "destinations": ["pushwoosh", "other"]})
    project.done("delta")
    assert project.sandbox.accepted == 20
    done = project.json("backfill", "--destination", "other")
    assert [(each["destination"], each["accepted"]) for each in done["delivered"]] == [("other", 10)]
    assert project.sandbox.accepted == 30


def test_one_definition_can_be_synced_alone(project: Project) -> None:
    done = project.json("delta", "Number")
    assert [each["key"] for each in done["runs"]] == ["number"]
    user = project.sandbox.user(USERS[3])
    assert user is not None
    assert user["attributes"] == {"number": 3}


def test_a_definition_that_left_the_file_is_removed_by_a_delta_without_names(project: Project) -> None:
    project.done("delta")
    project.write(audiences=[], traits=[project.document["traits"][0]])
    assert project.json("delta", "number")["removed"] == []
    assert [each["key"] for each in project.json("plan")["removed"]] == ["everybody"]
    assert "left at the destinations" in project.done("delta").out
    assert [each["key"] for each in project.json("status")["removed"]] == ["everybody"]


def test_a_store_that_is_not_there_yet_is_looked_at_without_making_it(sqlite_shop: Shop, tmp_path: Path) -> None:
    sqlite_shop.answers([("u1", 1)])
    store = tmp_path / "not-yet.db"
    audiences = [{"name": "Everybody", "sql": "select user_id from answer"}]
    with serving(tmp_path, f"sqlite:///{store}", sqlite_shop.url, audiences=audiences) as project:
        for command in (("plan",), ("status",), ("runs",), ("audience", "list"), ("parked", "list"), ("check",)):
            project.done(*command)
            assert not store.exists(), command
        assert str(store) in project.done("status").out
        assert project.json("status")["store"] == f"sqlite:///{store}"
        assert "1 user would be sent" in project.done("plan").out
        project.done("delta")
        assert store.exists()


def test_a_check_looks_at_everything_and_offline_at_the_file_only(project: Project) -> None:
    found = project.json("check")
    assert list(found) == ["checks"]
    assert all(set(each) == {"what", "problem", "verdict"} and each["problem"] is None for each in found["checks"])
    said = project.done("check").out
    for what in (
        "3 definitions",
        "store ",
        "source shop: read-only",
        "trait number: its SQL runs",
        "pushwoosh: answers",
    ):
        assert what in said
    requests = project.sandbox.requests
    assert len(project.done("check", "--offline").out.splitlines()) == 1
    assert project.sandbox.requests == requests


def test_a_check_with_a_wrong_api_key_says_what_to_check(project: Project) -> None:
    settings = project.document["destinations"]["pushwoosh"] | {"api_key": "wrong"}
    project.write(destinations={"pushwoosh": settings})
    said = project("check")
    assert said.code == 2
    assert said.err.count("\n") == 1
    assert "destination pushwoosh refuses us (401 unauthorized): check api_key" in said.err
    assert "wrong" not in said.err
    problems = [each["problem"] for each in project.json("check")["checks"] if each["problem"]]
    assert len(problems) == 1


def test_a_check_of_a_destination_that_is_away_is_worth_another_try(project: Project) -> None:
    settings = project.document["destinations"]["pushwoosh"] | {"base_url": "http://127.0.0.1:1"}
    project.write(destinations={"pushwoosh": settings})
    said = project("check")
    assert said.code == 1
    assert "does not answer as it should" in said.err


def test_migrating_twice_changes_nothing(project: Project) -> None:
    found = project.json("migrate")
    assert set(found) == {"store", "before", "after"}
    assert found["before"] == found["after"]
    assert "up to date" in project.done("migrate").out
