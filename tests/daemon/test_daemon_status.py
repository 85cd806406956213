"""``status`` says which configuration daemons go by, whether this file is that one, and what they last ticked."""

from __future__ import annotations

import pytest

from sync.config import load
from sync.daemon.generation import Generation
from sync.store import ticks
from tests.command import engage_sync
from tests.daemon.running import schedule
from tests.proofs import Road


def test_status_knows_the_newest_configuration_and_the_last_tick(road: Road) -> None:
    road.crowd(1)
    road.refresh()
    schedule(road, "every 2 hours")
    said = engage_sync("status", "--json", "--config", str(road.config)).json
    assert said["configuration"]["number"] is None

    with road.opened() as database:
        told = Generation.announce(database, load(road.config, {}).fingerprint)
        with database.read() as connection:
            now = database.now(connection)
        assert ticks.insert(database, "members", now, due_at=now, generation=told.number)
    said = engage_sync("status", "--json", "--config", str(road.config)).json
    assert said["configuration"]["same"] is True
    assert {each["key"]: each["last_tick"] is not None for each in said["definitions"]} == {
        "members": True,
        "score": False,
    }
    assert "OUTDATED" not in engage_sync("status", "--config", str(road.config)).out

    schedule(road, "every 3 hours")
    assert engage_sync("status", "--json", "--config", str(road.config)).json["configuration"]["same"] is False
    assert "OUTDATED" in engage_sync("status", "--config", str(road.config)).out


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("# a comment\nversion: 1\ndefaults: {schedule: every 2 hours}\n", True),
        ("defaults:\n  schedule: every 2 hours\nversion: 1\n", True),
        ("version: 1\ndefaults: {schedule: every 2 hours}\nweb: {listen: off}\n", True),
        ("version: 1\ndefaults: {schedule: every 3 hours}\n", False),
        ("version: 1\ndefaults: {schedule: every 2 hours}\nretention: {runs: 9 days}\n", False),
    ],
)
def test_a_configuration_is_another_one_when_it_says_something_else(sqlite_road: Road, text: str, same: bool) -> None:
    rest = "sources: {shop: 'sqlite:///shop.db'}\n"
    sqlite_road.config.write_text("version: 1\ndefaults: {schedule: every 2 hours}\nstore: sqlite:///one.db\n" + rest)
    before = load(sqlite_road.config, {}).fingerprint
    sqlite_road.config.write_text(text + "store: sqlite:///other.db\n" + rest)
    assert (load(sqlite_road.config, {}).fingerprint == before) is same
