"""The mappings of ``sync.yaml`` decide what an audience's or a trait's change becomes on the wire."""

from __future__ import annotations

from tests.command import Project

AUDIENCES = {
    "name": "Audiences",
    "partnerAction": "updateUserProfile",
    "subscribe": 'context.personas.computation_class = "audience"',
    "mapping": {
        "external_id": {"@path": "$.userId"},
        "city": {"@template": "{{context.personas.computation_key}} of {{context.personas.space_id}}"},
        "custom_attributes": {"@path": "$.traits"},
    },
}


def mapped(project: Project, *mappings: dict[str, object]) -> None:
    """Let the destination have these mappings."""
    project.document["destinations"]["pushwoosh"]["mappings"] = list(mappings)
    project.write()


def test_a_mapping_says_what_is_sent(project: Project) -> None:
    fields = {"external_id": {"@template": "shop-{{userId}}"}, "custom_attributes": {"n": {"@path": "$.traits.number"}}}
    mapped(project, {"action": "updateUserProfile", "mapping": fields})
    project.done("delta")
    assert project.sandbox.requests == 10
    assert project.sandbox.user("shop-u3") == {"attributes": {"n": 3}}


def test_a_trigger_on_personas_takes_one_call_for_each_computation(project: Project) -> None:
    mapped(project, AUDIENCES)
    assert "(identify_per: computation)" in project.done("check").out
    project.done("delta")
    # The traits' own calls match no mapping: filtered.
    assert project.sandbox.requests == 11  # one of them the ping of `check`
    assert project.sandbox.user("u3") == {"attributes": {"everybody": True}, "city": "everybody of shop"}
    assert "0 users sent" in project.done("delta").out


def test_one_call_for_each_computation_can_be_asked_for(project: Project) -> None:
    project.document["destinations"]["pushwoosh"]["identify_per"] = "computation"
    project.write()
    project.done("delta")
    sent = [request.body["attributes"] for request in project.sandbox.history("u3") if request.body]
    assert sorted(map(str, sent)) == ["{'everybody': True}", "{'number': 3}"]
    assert project.sandbox.user("u3") == {"attributes": {"everybody": True, "number": 3}, "email": "u3@example.com"}


def test_without_a_mapping_that_takes_them_changes_are_filtered_and_settled(project: Project) -> None:
    mapped(project, {"action": "trackEvent"})
    said = project.done("delta").out
    assert (
        "note: destination pushwoosh: no enabled mapping takes the changes of audience everybody, trait number" in said
    )
    assert "pushwoosh: 0 users sent, 10 events filtered out by the mappings" in said
    assert project.sandbox.requests == 0
    assert project.json("status")["destinations"][0]["backlog"]["due"] == 0


def test_a_plan_counts_nobody_whose_changes_no_mapping_takes(project: Project) -> None:
    mapped(project, {"action": "trackEvent"})
    said = project.done("plan").out
    assert "note: destination pushwoosh: no enabled mapping takes the changes of audience everybody, trait num" in said
    assert "pushwoosh: 0 users would be sent\npushwoosh: 10 users would not: no mapping takes what changed\n" in said
    project.done("delta", "--no-deliver")
    planned = project.json("plan")
    assert planned["destinations"] == [{"name": "pushwoosh", "users": 0, "filtered": 10, "already_owed": 0}]
    assert len(planned["notes"]) == 1


def test_a_plan_counts_whoever_is_owed_something_that_a_mapping_takes(project: Project) -> None:
    mapped(project, AUDIENCES)
    project.write(audiences=[{"name": "Few", "sql": "select user_id from answer where user_id < 'u3'"}])
    planned = project.json("plan")
    assert planned["destinations"] == [{"name": "pushwoosh", "users": 3, "filtered": 7, "already_owed": 0}]
    (note,) = planned["notes"]
    assert "takes the changes of trait number: they are not sent" in note


def test_a_sync_notes_only_what_it_is_about(project: Project) -> None:
    mapped(project, AUDIENCES)
    assert project.json("delta", "everybody")["notes"] == []
    assert len(project.json("delta", "number")["notes"]) == 1
    assert len(project.json("backfill", "--destination", "pushwoosh")["notes"]) == 1


def test_whoever_is_parked_has_the_name_of_the_mapping_that_refused(project: Project) -> None:
    fields = {"external_id": {"@path": "$.userId"}, "name": {"@path": "$.traits.nothing"}, "timestamp": "2026-01-01"}
    events = {"name": "Track VIPs", "action": "trackEvent", "subscribe": 'type = "identify"', "mapping": fields}
    mapped(project, {"name": "Profiles", "action": "updateUserProfile"}, events)
    assert project("delta").code == 1
    said = "Track VIPs: The root value is missing the required field 'name'."
    assert {row["reason"] for row in project.json("parked", "list")} == {said}
    shown = project.done("user", "show", "u3").out
    assert "\ntries\n" in shown
    assert "Track VIPs: " in shown


def test_what_was_filtered_is_done_with_until_a_backfill(project: Project) -> None:
    mapped(project, {"action": "trackEvent"})
    project.done("delta")
    mapped(project, {"action": "updateUserProfile"})
    assert "0 users sent" in project.done("delta").out
    assert project.sandbox.requests == 0
    assert "10 users sent" in project.done("backfill", "--destination", "pushwoosh").out
    assert project.sandbox.user("u3") == {"attributes": {"everybody": True, "number": 3}, "email": "u3@example.com"}
