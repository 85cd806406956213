"""``events send``: every line becomes an event, or is told by its number."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO, cast

import orjson
import pytest

from sync.cli import jsonlines
from sync.store import leases
from sync.store.engine import connect
from tests.command import Project

ALIAS = {"type": "alias", "userId": "ann", "previousId": "x", "messageId": "m3"}


def written(folder: Path, *lines: object) -> str:
    """A file of these lines: bytes as they are, everything else as JSON."""
    path = folder / "events.jsonl"
    path.write_bytes(b"\n".join(line if isinstance(line, bytes) else orjson.dumps(line) for line in lines))
    return str(path)


def track(user: str, message: str | None = None, **properties: object) -> dict[str, object]:
    event = {"type": "track", "userId": user, "event": "Order Completed", "properties": properties}
    return event | ({"messageId": message} if message else {})


def test_every_line_is_recorded_and_the_wrong_ones_are_told_by_number(project: Project, tmp_path: Path) -> None:
    file = written(
        tmp_path,
        b"\xef\xbb\xbf" + orjson.dumps(track("ann", "m1", total=9)),
        b"",
        b"{no json",
        track("bob"),
        b'{"type": "track", "userId": "cid"}',
        b'{"type": "track", "userId": "dan", "event": "Big", "properties": {"n": 123456789012345678901234567890}}',
        b"[" * 100_000,
        b'{"type": "track", "userId": "eve", "event": "x", "properties": {"a": "' + b"x" * 40_000 + b'"}}',
        track("fay", "m2") | {"type": "nonsense"},
        b'"text"\r',
    )
    said = project("events", "send", file, "--no-deliver")
    assert said.code == 1
    assert [line.split(": ")[1] for line in said.err.splitlines()] == [f"line {each}" for each in (3, 5, 7, 8, 9, 10)]
    assert "9" * 20 not in said.err
    assert said.out.startswith("3 events recorded, 6 lines refused")

    again = project.json("events", "send", file, "--no-deliver", "--source", "cli")
    assert (again["recorded"], again["duplicates"], again["refused"]) == (2, 1, 6)
    assert again["problems"][0] == {"line": 3, "reason": "it is not JSON that can be read"}
    (first, *_) = [
        orjson.loads(line) for line in project.done("events", "tail", "--no-follow", "--json").out.split("\n")[:-1]
    ]
    assert (first["source"], first["message_id"], first["user_id"]) == ("cli", "m1", "ann")


@pytest.mark.parametrize("store_place", ["sqlite"], indirect=True)
def test_lines_are_read_from_standard_input_as_they_come(project: Project) -> None:
    command = [sys.executable, "-m", "sync", "events", "send", "-", "--no-deliver", "--config", str(project.config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as sending:
        assert sending.stdin is not None
        assert sending.stdout is not None
        sending.stdin.write(orjson.dumps(track("ann", "m1")) + b"\n")
        sending.stdin.flush()
        while not project.done("events", "tail", "--no-follow", "--json").out:
            assert sending.poll() is None
        sending.stdin.write(orjson.dumps(track("ann", "m2")))
        sending.stdin.close()
        assert sending.stdout.read() == b"2 events recorded\n"
        assert sending.wait() == 0


def test_more_wrong_lines_than_anybody_reads_are_only_counted(project: Project, tmp_path: Path) -> None:
    said = project("events", "send", written(tmp_path, *[b"x"] * 500), "--no-deliver")
    assert said.code == 1
    assert len(said.err.splitlines()) == 101
    assert "500 lines refused" in said.out


def test_what_cannot_be_read_is_told(project: Project) -> None:
    for arguments, told in (
        (("nowhere.jsonl",), "cannot be read: No such file"),
        (("/",), "cannot be read: Is a directory"),
        (("-", "--source", "sql:shop.orders"), "--source must be"),
    ):
        said = project("events", "send", *arguments)
        assert said.code == 2
        assert told in said.err


def test_a_line_without_end_is_passed_over_in_little_memory() -> None:
    class Endless(io.RawIOBase):
        """A first line, 20 MB without an end, a last line."""

        pieces = iter([b"first\n", *[b"x" * 1_000_000] * 20, b"\nlast"])

        def readable(self) -> bool:
            return True

        def readinto(self, into: object) -> int:
            piece = next(self.pieces, b"")
            memoryview(into)[: len(piece)] = piece  # type: ignore[arg-type]
            return len(piece)

    stream = cast("BinaryIO", io.BufferedReader(Endless(), 1 << 20))
    found = [line for lines in jsonlines.portions(stream) for line in lines]
    assert found == [(1, b"first"), (2, None), (3, b"last")]


def test_what_is_sent_arrives_and_what_no_mapping_wants_is_filtered(project: Project, tmp_path: Path) -> None:
    lines = [track("ann", "m1", total=9), track("bob", "m2"), ALIAS]
    done = project.json("events", "send", written(tmp_path, *lines))
    (forwarded,) = done["forwarded"]
    assert (forwarded["accepted"], forwarded["filtered"], forwarded["still_pending"]) == (2, 1, 0)
    assert len(project.sandbox.events("ann")) == 1
    assert project.done("events", "send", written(tmp_path, *lines)).out.startswith(
        "0 events recorded, 3 there already"
    )
    rows = [orjson.loads(line) for line in project.done("events", "tail", "--no-follow", "--json").out.splitlines()]
    assert [row["destinations"][0]["state"] for row in rows] == ["sent", "sent", "filtered"]
    assert len(rows[2]["destinations"][0]["filtered_by"]) == 2


def test_a_refused_event_is_parked_shown_redriven_and_dropped(project: Project, tmp_path: Path) -> None:
    project.sandbox.set_faults(fail_users=frozenset({"bob"}))
    said = project("events", "send", written(tmp_path, *(track(user) for user in ("ann", "bob", "cid"))))
    assert said.code == 1
    assert "2 events sent, 1 parked (engage-sync parked list --events)" in said.out
    (row,) = project.json("parked", "list", "--events")
    assert (row["user_id"], row["type"], row["name"]) == ("bob", "track", "Order Completed")
    number = row["event_id"]
    assert f"event:{number}" in project.done("parked", "list", "--events", "--destination", "pushwoosh").out
    assert "events are parked too" in project.done("parked", "list").out
    assert project.json("parked", "list") == []
    assert project.json("parked", "show", "--events", str(number))["destinations"][0]["state"] == "parked"

    again = project("parked", "redrive", "--events", f"event:{number}", "--json")
    assert (again.code, again.json["redriven"]) == (1, 1)
    assert again.json["forwarded"][0]["parked"] == 1
    project.sandbox.set_faults(fail_users=frozenset())
    assert project.done("parked", "redrive", "--events", "--all").out.startswith(
        "1 event redriven\npushwoosh: 1 event sent"
    )
    assert len(project.sandbox.events("bob")) == 1
    assert project.done("parked", "list", "--events").out == "no event is parked\n"


def test_a_dropped_event_is_never_sent(project: Project, tmp_path: Path) -> None:
    project.sandbox.set_faults(fail_users=frozenset({"bob"}))
    assert project("events", "send", written(tmp_path, track("bob", "m1"))).code == 1
    project.sandbox.set_faults(fail_users=frozenset())
    assert project.json("parked", "drop", "--events", "--all") == {"dropped": 1}
    assert "not sent: dropped by hand" in project.done("events", "tail", "--no-follow").out
    project.done("events", "send", written(tmp_path, track("cid")))
    assert project.sandbox.events("bob") == []


def test_an_event_that_is_not_parked_is_said_so(project: Project, tmp_path: Path) -> None:
    project.done("events", "send", written(tmp_path, track("ann", "m1")))
    for arguments, told in (
        (("redrive", "--events", "77"), "none of these events is parked"),
        (("drop", "--events", "77"), "none of these events is parked"),
        (("drop", "event:77"), "events are named with --events"),
        (("redrive", "--events", "bob"), "is no event's number"),
        (("redrive", "--events"), "say which"),
        (("show", "--events", "77"), "there is no event '77'"),
        (("show", "--events", "m1"), "event 'm1' is not parked"),
        (("list", "--events", "--destination", "nowhere"), "there is no destination"),
    ):
        said = project("parked", *arguments)
        assert (said.code, said.out) == (2, "")
        assert told in said.err


def test_what_cannot_be_forwarded_now_stays_pending(project: Project, tmp_path: Path) -> None:
    project.sandbox.set_faults(status=401)
    said = project("events", "send", written(tmp_path, track("ann")), "--wait", "0")
    assert said.code == 1
    assert "1 event still pending" in said.out
    assert project.json("status")["destinations"][0]["events"]["parked"] == 0
    project.sandbox.set_faults(status=None)
    done = project.json("events", "send", written(tmp_path, track("bob")))
    assert done["forwarded"][0]["accepted"] == 2


@pytest.mark.parametrize("store_place", ["sqlite"], indirect=True)
def test_who_sends_while_somebody_else_delivers_says_what_is_pending_and_who_has_it(
    project: Project, tmp_path: Path
) -> None:
    database = connect(project.document["store"]["url"])
    try:
        assert isinstance(leases.acquire(database, "destination:pushwoosh", 60.0), leases.Lease)
        said = project("events", "send", written(tmp_path, track("ann")), "--wait", "0")
    finally:
        database.close()
    assert said.code == 1
    assert "1 event still pending: process" in said.out
    assert project.sandbox.events("ann") == []
