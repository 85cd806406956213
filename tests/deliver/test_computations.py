"""One call for each audience and trait, with its personas: down the whole road, to the sandbox."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import orjson
import pytest

from sync.deliver.delivered import Delivered
from sync.deliver.foreground import deliver
from sync.model.computation import computation_id
from sync.model.definition import Definition, Kind
from sync.store import definitions
from tests.proofs import Road
from tests.recorder import record

PERSONAS = {
    name: {"@path": f"$.context.personas.{name}"}
    for name in ("computation_class", "computation_key", "computation_id", "namespace", "space_id")
}
TRAITS = {"@path": "$.traits"}


def mapping(custom_attributes: object, subscribe: str = 'type = "identify"', **fields: object) -> dict[str, object]:
    """One of Segment's mappings, for profiles."""
    return {
        "name": "Profiles",
        "partnerAction": "updateUserProfile",
        "subscribe": subscribe,
        "mapping": {"external_id": {"@path": "$.userId"}, "custom_attributes": custom_attributes, **fields},
    }


def configure(road: Road, *mappings: dict[str, object], **more: object) -> None:
    """Give the destination mappings (none: the presets), and other settings."""
    road.configure(more={**more, **({"mappings": list(mappings)} if mappings else {})})


def report(road: Road, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """What a command says with ``--json``."""
    capsys.readouterr()
    road.command(*arguments, "--json")
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def sent(road: Road, user_id: str) -> list[dict[str, object]]:
    """The attributes of the requests about a user, in order of arrival."""
    return [request.body["attributes"] for request in road.sandbox.history(user_id) if request.body]  # type: ignore[misc]


def test_each_definition_goes_in_a_call_of_its_own(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    configure(road, identify_per="computation")
    road.crowd(20)
    [done] = report(road, capsys, "delta")["delivered"]
    assert (done["users"], done["accepted"], done["by_verdict"]) == (20, 40, {"accepted": 40})
    road.delivered()
    assert sent(road, "u7") == [{"members": True}, {"score": 7}]
    assert road.sandbox.stats()["max_concurrent_per_user"] == 1
    assert report(road, capsys, "delta")["delivered"][0]["accepted"] == 0


def test_a_call_tells_its_definition_by_ids_that_stay(road: Road) -> None:
    # A mapping that reads the personas switches it on by itself.
    configure(road, mapping({"@merge": {"objects": [PERSONAS, TRAITS], "direction": "right"}}))
    road.people({"u": 1})
    assert road.command("delta") == 0
    expected = [
        {
            "computation_class": kind.value,
            "computation_key": key,
            "computation_id": computation_id("proofs", kind, key),
            "namespace": "proofs",
            "space_id": "proofs",
            key: value,
        }
        for kind, key, value in ((Kind.AUDIENCE, "members", True), (Kind.TRAIT, "score", 1))
    ]
    assert sent(road, "u") == expected
    stored = road.rows("SELECT key, computation_id FROM definition ORDER BY key")
    assert stored == [("members", expected[0]["computation_id"]), ("score", expected[1]["computation_id"])]
    assert road.command("backfill") == 0
    assert sent(road, "u")[2:] == expected


def test_a_trigger_by_class_sends_audiences_and_filters_traits(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    configure(road, mapping(TRAITS, 'context.personas.computation_class = "audience"'))
    road.crowd(10)
    [done] = report(road, capsys, "delta")["delivered"]
    assert (done["users"], done["accepted"], done["filtered"], done["still_owed"]) == (10, 10, 10, 0)
    assert done["by_verdict"] == {"accepted": 10, "filtered": 10}
    assert {user_id: user["attributes"] for user_id, user in road.sandbox.users().items()} == {
        f"u{number}": {"members": True} for number in range(10)
    }
    assert Counter(road.rows("SELECT verdict FROM attempt")) == {("accepted",): 10, ("filtered",): 10}
    road.people({"u3": -3})
    assert road.command("delta") == 0
    said = capsys.readouterr().out
    assert "pushwoosh: 0 users sent, 1 event filtered out by the mappings" in said
    assert not road.states()


def test_nothing_is_owed_to_users_whom_no_mapping_wants(road: Road, capsys: pytest.CaptureFixture[str]) -> None:
    configure(road, mapping(TRAITS, 'type = "track"'))
    road.crowd(5)
    [done] = report(road, capsys, "delta")["delivered"]
    assert (done["users"], done["accepted"], done["filtered"]) == (0, 0, 5)
    assert (road.sandbox.requests, road.states()) == (0, Counter())


BY_CLASS = {"@template": "{{userId}}/{{context.personas.computation_class}}"}
"""Audiences and traits of one user under names of their own, so that the sandbox can be told to refuse one of them."""


def test_a_refused_key_is_parked_alone_until_its_value_changes_or_it_is_redriven(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(road, mapping(TRAITS, external_id=BY_CLASS))
    road.crowd(3)
    road.sandbox.set_faults(fail_users=["u1/audience", "u2/audience"])
    [done] = report(road, capsys, "delta")["delivered"]
    assert (done["users"], done["accepted"], done["refused"], done["parked"]) == (1, 4, 2, 2)
    found = report(road, capsys, "parked", "show", "u1")
    [slot] = found["parked"]
    assert slot["owed"] == {"members": True}
    assert slot["reason"] == 'members: 400 user "u1/audience" is refused'
    tries = [(each["verdict"], each["sent"]) for each in found["attempts"]]
    assert tries == [("accepted", {"score": 1}), ("refused", {"members": True})]

    road.people({"u1": -1})
    assert road.command("delta") == 1  # the refused key is tried again with the new one, and parked alone again
    assert road.states() == {"parked": 2}
    assert road.sandbox.values("u1/trait", "score") == [1, -1]
    assert road.sandbox.values("u1/audience", "members") == [True, True]
    road.sandbox.replace_faults()
    assert road.command("parked", "redrive", "--all") == 0
    assert not road.states()
    assert {user_id for user_id in road.sandbox.users() if user_id.endswith("audience")} == {
        "u0/audience",
        "u1/audience",
        "u2/audience",
    }


def test_what_a_mapping_cannot_take_is_parked_alone_with_the_reason(
    road: Road, capsys: pytest.CaptureFixture[str]
) -> None:
    # Only the audience has a value that fits a location.
    picky = mapping(TRAITS, current_location={"latitude": {"@path": "$.traits.name"}})
    configure(road, picky, identify_per="computation")
    document = json.loads(road.config.read_text())
    document["traits"].append({"name": "Name", "sql": "select user_id, 'north' as value from person"})
    road.config.write_bytes(orjson.dumps(document))
    road.crowd(30)
    [done] = report(road, capsys, "delta")["delivered"]
    assert (done["parked"], done["refused"], done["stopped"]) == (30, 0, None)
    assert done["by_verdict"] == {"accepted": 60, "invalid": 30}
    road_rows = road.rows("SELECT state, reason FROM slot")
    assert {state for state, _ in road_rows} == {"parked"}
    [reason] = {reason for _, reason in road_rows}
    assert str(reason).startswith("name: Latitude must be a number but it was a string")


def test_after_an_answer_that_got_lost_both_keys_arrive_and_what_was_in_doubt_is_confirmed(road: Road) -> None:
    configure(road, identify_per="computation")
    road.people({"u": 1})
    road.sandbox.set_faults(drop_count=1)
    assert road.command("delta") == 0
    road.delivered()
    # The first was applied without an answer; after the failure the other one goes first; then what was in doubt again.
    assert sent(road, "u") == [
        {"members": True},
        {"score": 1},
        {"members": True},
        {"members": True},
        {"score": 1},
    ]


def test_a_key_that_is_recorded_while_others_are_being_delivered_gets_its_personas_too(road: Road) -> None:
    configure(road, mapping(PERSONAS), identify_per="computation")
    road.crowd(5)
    road.refresh()
    late = Definition(Kind.AUDIENCE, "late", "Late", "shop", ("pushwoosh",))
    with road.app() as app:

        def record_another(_: Delivered) -> None:
            """As another process may do, with a newer file."""
            with app.database().read() as connection:
                known = definitions.find(connection, "late")
            if known is None:
                record(app.database(), late, ["u0", "stranger"])

        [done] = deliver(app.database(), app.outlets(["pushwoosh"]), app.clock, patience=60, on_progress=record_another)
    assert done.complete
    assert road.sandbox.user("stranger") == {
        "attributes": {
            "computation_class": "audience",
            "computation_key": "late",
            "computation_id": computation_id("proofs", Kind.AUDIENCE, "late"),
            "namespace": "proofs",
            "space_id": "proofs",
        }
    }


def test_a_removed_definition_sends_its_last_value_with_the_same_personas(road: Road) -> None:
    configure(road, mapping({"@merge": {"objects": [PERSONAS, TRAITS], "direction": "right"}}))
    document = json.loads(road.config.read_text())
    document["audiences"][0]["on_delete"] = "clear"
    road.config.write_bytes(orjson.dumps(document))
    road.people({"u": 1})
    assert road.command("delta") == 0
    before = sent(road, "u")[0]
    document["audiences"] = []
    road.config.write_bytes(orjson.dumps(document))
    assert road.command("delta") == 0
    assert sent(road, "u")[-1] == {**before, "members": False}
