"""The main job, by either of Pushwoosh's APIs: what is owed arrives, and what is refused is one user's matter."""

from __future__ import annotations

import orjson
import pytest

from sync import telemetry
from tests.proofs import Road


@pytest.fixture
def way(sqlite_road: Road) -> Road:
    # Nothing is asked for again only because the machine was busy.
    sqlite_road.configure(deadline="60s", lease="90s")
    return sqlite_road


def test_everybody_holds_what_was_decided_and_only_changes_are_sent(way: Road) -> None:
    way.crowd(30)
    assert way.command("delta") == 0
    way.delivered()
    way.people({"u3": 99})
    assert way.command("delta") == 0
    way.delivered()
    assert way.sandbox.sent_counts() == {f"u{number}": 2 if number == 3 else 1 for number in range(30)}
    assert way.sandbox.values("u3", "score") == [3, 99]
    assert way.sandbox.complaints == []


def test_answers_that_never_come_are_asked_for_again(way: Road) -> None:
    way.crowd(20)
    way.sandbox.set_faults(drop_count=10)
    assert way.command("delta") == 0
    way.delivered()


@pytest.mark.parametrize("status", [200, 400])
def test_one_user_who_is_refused_is_parked_and_nobody_else_waits(way: Road, status: int) -> None:
    way.crowd(20)
    way.sandbox.set_faults(fail_users=["u7"], argument_status=status)
    assert way.command("delta") == 1
    assert way.rows("SELECT user_id, state FROM slot") == [("u7", "parked")]
    assert way.sandbox.user_count == 19


def test_a_wrong_token_stops_the_destination_and_parks_nobody(way: Road) -> None:
    way.crowd(20)
    way.sandbox.set_faults(status=401)
    assert way.command("delta", "--wait", "60") == 1
    assert dict(way.states()) == {"due": 20}
    way.sandbox.replace_faults()
    assert way.command("delta") == 0
    way.delivered()


@pytest.mark.parametrize("transport", ["public-api"])
def test_tags_that_are_not_there_are_told_once_with_what_to_create(
    way: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    way.crowd(5)
    way.sandbox.set_faults(skipped=["members", "score"])
    assert way.command("delta", "--json") == 0
    [delivered] = orjson.loads(capsys.readouterr().out)["delivered"]
    assert [(each.split()[1], each.partition(" type ")[2].split(";")[0]) for each in delivered["warnings"]] == [
        ("members", "Boolean"),
        ("score", "Integer, or Price if it may have decimals"),
    ]


@pytest.mark.parametrize("transport", ["public-api"])
def test_a_daemon_logs_a_skipped_tag_once(way: Road) -> None:
    said: list[dict[str, object]] = []
    way.crowd(5)
    way.sandbox.set_faults(skipped=["score"])
    silent = telemetry.listen(lambda name, fields: said.append(fields) if name == "destination.warning" else None)
    try:
        assert way.command("delta") == 0
    finally:
        silent()
    assert [str(each["warning"]).split(".")[0] for each in said] == ["tag score was skipped: Not found"]
