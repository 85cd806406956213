"""Events are shown with what became of them: listed, followed, and whole."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sync.store.engine import Database, connect
from tests.command import Project
from tests.logged import ended, forwards, held, log, passed


@pytest.fixture
def store(project: Project) -> Iterator[Database]:
    """The project's store, from which events go to its destination."""
    store = project.document["store"]
    database = connect(store["url"], store.get("schema"))
    forwards(database)
    yield database
    database.close()


def lines(text: str) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in text.splitlines()]


def test_the_newest_events_are_shown_with_what_became_of_them(project: Project, store: Database) -> None:
    sent = log(store, "ann", source="ios")
    ended(store, sent)
    filtered = log(store, "bob", None, kind="alias")
    ended(store, filtered, "filtered", None)
    waits = log(store, "cid", "Signed Up")
    ended(store, waits, "not_applied", 503, "come back later")
    held(store, waits, "waiting", reason="503 come back later")
    parked = log(store, "dan", None, kind="identify")
    held(store, parked, reason="400 no such tag")
    new = log(store, None, "Visited")

    said = project.done("events", "tail", "--no-follow").out.splitlines()
    assert [f"event:{each}" in line for each, line in zip((sent, filtered, waits, parked, new), said, strict=True)]
    assert said[0].endswith("track Order Completed  ann  ios  pushwoosh: sent (200)")
    assert "alias  bob" in said[1]
    assert "filtered (" in said[1]
    assert "do not want it" in said[1]
    assert said[2].endswith("waiting after 1 try: 503 come back later")
    assert said[3].endswith("parked: 400 no such tag")
    assert said[4].endswith("track Visited  anonymous visitor  web  pushwoosh: received")

    rows = lines(project.done("events", "tail", "--no-follow", "--json").out)
    assert [row["destinations"][0]["state"] for row in rows] == ["sent", "filtered", "waiting", "parked", "received"]
    assert len(rows[1]["destinations"][0]["filtered_by"]) == 2
    for arguments, number in (
        (("--user", "bob"), filtered),
        (("--type", "identify"), parked),
        (("--event", "Signed Up"), waits),
        (("--limit", "1"), new),
    ):
        (row,) = lines(project.done("events", "tail", "--no-follow", "--json", *arguments).out)
        assert row["id"] == number


@pytest.mark.parametrize("store_place", ["sqlite"], indirect=True)
def test_an_event_is_shown_again_when_something_became_of_it(project: Project, store: Database) -> None:
    first = log(store)
    command = [sys.executable, "-m", "sync", "events", "tail", "--json", "--config", str(project.config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"}) as following:
        assert following.stdout is not None
        try:
            assert orjson.loads(following.stdout.readline())["id"] == first
            second = log(store)
            assert orjson.loads(following.stdout.readline())["id"] == second
            ended(store, first)
            passed(store, first)
            found = orjson.loads(following.stdout.readline())
            assert (found["id"], found["destinations"][0]["state"]) == (first, "sent")
        finally:
            following.kill()


def test_one_event_is_shown_whole_by_its_number_or_its_message(project: Project, store: Database) -> None:
    number = log(store, message_id="message-1")
    ended(store, number, "refused", 400, "no such tag")
    held(store, number, reason="400 no such tag")
    for named in (str(number), f"event:{number}", "message-1"):
        said = project.done("events", "show", named).out
        for word in (f"event:{number}", "Order Completed", "ann", "400 no such tag", '"total": 9', "mappings"):
            assert word in said
    found = project.json("events", "show", "message-1")
    assert found["body"]["properties"] == {"total": 9}
    assert found["destinations"][0]["state"] == "parked"
    assert {each["matches"] for each in found["mappings"]} == {True, False}


def test_a_message_that_two_sources_have_must_be_named_by_its_number(project: Project, store: Database) -> None:
    first, second = (log(store, message_id="5000000", source=source) for source in ("web", "ios"))
    said = project("events", "show", "5000000")
    assert said.code == 2
    assert f"event:{first}, event:{second}" in said.err
    assert project.json("events", "show", f"event:{second}")["source"] == "ios"


def test_an_event_that_is_not_there_is_said_so(project: Project) -> None:
    for named in ("event:77", "77", "nothing", "event:x", "9" * 30):
        said = project("events", "show", named)
        assert (said.code, said.out) == (2, "")
        assert "there is no event" in said.err


def test_a_user_is_shown_with_the_collected_profile_and_the_newest_events(project: Project, tmp_path: Path) -> None:
    identify = {"type": "identify", "userId": "ann", "traits": {"plan": "pro", "note": "[red]"}}
    lines = (identify, *({"type": "track", "userId": "ann", "event": f"Step {number}"} for number in range(12)))
    file = tmp_path / "events.jsonl"
    file.write_bytes(b"\n".join(map(orjson.dumps, lines)))
    project.done("events", "send", str(file), "--no-deliver")
    said = project.done("user", "show", "ann").out
    for word in ("profile", "plan", "pro", "[red]", "track Step 11", "pushwoosh: received"):
        assert word in said
    assert "Step 1 " not in said
    found = project.json("user", "show", "ann")
    assert found["profile"]["traits"] == {"plan": "pro", "note": "[red]"}
    assert [each["name"] for each in found["events"]] == [f"Step {number}" for number in range(11, 1, -1)]


def test_status_shows_how_far_each_destination_has_come_in_the_log(project: Project, store: Database) -> None:
    assert project.json("status")["log"] == {"newest": 0, "oldest_at": None, "newest_at": None}
    done, parked, waiting = (log(store) for _ in range(3))
    held(store, parked)
    held(store, waiting, "waiting")
    passed(store, waiting)
    newest = log(store, "bob")
    project.write(collector={"listen": "127.0.0.1:18080", "keys": {"web": "a-write-key"}})
    found = project.json("status")
    events = found["destinations"][0]["events"]
    assert (events["unread"], events["waiting"], events["parked"]) == (1, 1, 1)
    assert found["collector"] == {"listen": "127.0.0.1:18080", "keys": ["web"], "webhooks": []}
    assert found["log"]["newest"] == newest > done
    said = project.done("status").out
    assert f"event:{newest}" in said
    assert "127.0.0.1:18080, as web" in said
    assert "a-write-key" not in said


def test_a_user_is_suppressed_until_that_is_taken_back(project: Project, tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_bytes(orjson.dumps({"type": "track", "userId": "ann", "event": "Visited"}))
    assert project.done("user", "suppress", "ann").out.startswith("user ann is suppressed: no event is taken in")
    assert project.json("user", "suppress", "ann") == {"user_id": "ann", "suppressed": True, "changed": False}
    assert project.json("events", "send", str(file), "--no-deliver")["suppressed"] == 1
    assert "suppressed since" in project.done("user", "show", "ann").out
    assert project.json("user", "unsuppress", "ann") == {"user_id": "ann", "suppressed": False, "changed": True}
    assert project.done("user", "unsuppress", "ann").out == "user ann was not suppressed\n"
    assert project.json("events", "send", str(file), "--no-deliver")["recorded"] == 1


def test_what_stands_in_an_event_cannot_steer_the_terminal(project: Project, store: Database) -> None:
    number = log(store, "\x1b[31mann", "\x9b31mOrder")
    for arguments in (("tail", "--no-follow"), ("show", str(number))):
        said = project.done("events", *arguments).out
        assert "\x1b" not in said
        assert "\x9b" not in said
