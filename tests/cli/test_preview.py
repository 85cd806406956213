"""``preview``: lines in, requests out; Segment's recorded behaviour, through the command itself."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sync.errors import InvalidSubscription
from sync.mapping.trigger import compile_trigger
from tests.command import Project, Said, engage_sync

Json = dict[str, Any]
Preview = Callable[..., Said]

RECORDED = Path(__file__).parents[1] / "data" / "conformance"
SETTINGS = {"api_key": "test-api-key", "app_code": "ABCDE-12345"}
IDENTIFY = {"type": "identify", "userId": "u1", "traits": {"vip": True}}
TRACK = {"type": "track", "userId": "u1", "event": "Order Completed", "timestamp": "2024-05-17T10:11:12Z"}


@pytest.fixture
def preview(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Preview:
    """Pipe lines through the command, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(lines: Sequence[object] | bytes, *arguments: str) -> Said:
        text = lines if isinstance(lines, bytes) else b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
        return engage_sync("preview", *arguments)

    return run


def answers(said: Said) -> list[Json]:
    # Not splitlines: JSON may hold U+2028.
    return [json.loads(line) for line in said.out.split("\n") if line]


def recorded(name: str) -> list[Json]:
    return [json.loads(line) for line in (RECORDED / f"{name}.jsonl").read_text(encoding="utf-8").split("\n") if line]


def same(ours: object, theirs: object) -> bool:
    """Equal as JSON: true is not 1."""
    return json.dumps(ours, sort_keys=True) == json.dumps(theirs, sort_keys=True)


def test_every_recorded_trigger_matches_as_at_segment(preview: Preview) -> None:
    cases = recorded("fql")
    said = preview([{"subscribe": case["subscribe"], "events": case["events"]} for case in cases], "--op", "fql")
    wrong = [
        case["id"]
        for case, got in zip(cases, answers(said), strict=True)
        if got.get("matches") != case["expect"]["matches"]
    ]
    assert (said.code, wrong) == (0, [])


def test_every_recorded_mapping_gives_what_it_gives_at_segment(preview: Preview) -> None:
    cases = recorded("map")
    said = preview([{"mapping": case["mapping"], "event": case["event"]} for case in cases], "--op", "map")
    wrong = [
        case["id"]
        for case, got in zip(cases, answers(said), strict=True)
        if not (
            "error" in got if case["expect"].get("error") else same(got.get("output"), case["expect"].get("output"))
        )
    ]
    assert (said.code, wrong) == (0, [])


def agrees(case: Json, got: Json) -> bool:
    requests = [{name: each[name] for name in ("method", "url", "json")} for each in got["requests"]]
    if not same(requests, case["expect"]["requests"]):
        return False
    if "events" in case:
        return bool(got["error"] or got["skipped"]) or not case["expect"]["refused"]
    return bool(got["error"]) == case["expect"]["refused"]


def test_every_recorded_delivery_makes_the_same_requests_as_segment(preview: Preview) -> None:
    cases = recorded("deliver")
    given = [
        {name: value for name, value in case.items() if name not in {"id", "expect"}} | {"settings": SETTINGS}
        for case in cases
    ]
    said = preview(given)
    wrong = [case["id"] for case, got in zip(cases, answers(said), strict=True) if not agrees(case, got)]
    assert (said.code, wrong) == (0, [])


def test_without_action_an_event_goes_through_both_presets(preview: Preview) -> None:
    said = preview([{"event": event, "settings": SETTINGS} for event in (IDENTIFY, TRACK, {"type": "group"})])
    profile, tracked, nobody = answers(said)
    assert [each["url"].rpartition("/")[2] for each in profile["requests"] + tracked["requests"]] == [
        "track-user",
        "post-events",
    ]
    assert nobody["requests"] == []
    assert [set(each) for each in nobody["skipped"]] == [{"reason"}]
    assert nobody["error"] is None


def test_a_batch_is_one_request_and_says_which_events_it_leaves_out(preview: Preview) -> None:
    (got,) = answers(preview([{"events": [TRACK, {"type": "group"}, {**TRACK, "event": ""}, 5], "settings": SETTINGS}]))
    (request,) = got["requests"]
    assert [item["name"] for item in request["json"]["events"]] == ["Order Completed"]
    assert [each["event"] for each in got["skipped"]] == [1, 2, 3]
    assert all(each["reason"] for each in got["skipped"])


def test_a_batch_of_250_becomes_requests_of_at_most_100_in_order(preview: Preview) -> None:
    events = [{**TRACK, "userId": f"u{number}"} for number in range(250)]
    (got,) = answers(preview([{"events": events, "settings": SETTINGS}]))
    sizes = [len(each["json"]["events"]) for each in got["requests"]]
    assert sizes == [100, 100, 50]
    users = [item["user_id"] for each in got["requests"] for item in each["json"]["events"]]
    assert users == [event["userId"] for event in events]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ({"event": {**TRACK, "userId": ""}, "settings": SETTINGS}, "invalid_event"),
        ({"event": None, "settings": SETTINGS}, "invalid_event"),
        ({"events": {}, "settings": SETTINGS}, "invalid_event"),
        ({"event": TRACK, "events": [TRACK], "settings": SETTINGS}, "invalid_event"),
        ({"settings": SETTINGS}, "invalid_event"),
        (5, "invalid_event"),
        (
            {"event": TRACK, "settings": SETTINGS, "action": "trackEvent", "mapping": {"name": {"@nope": 1}}},
            "invalid_mapping",
        ),
        ({"event": TRACK, "settings": SETTINGS, "action": "trackEvnt"}, "invalid_mapping"),
        ({"event": TRACK, "settings": SETTINGS, "mapping": {}}, "invalid_mapping"),
        ({"event": TRACK, "settings": SETTINGS, "subscribe": "type ="}, "invalid_subscription"),
        ({"event": TRACK, "settings": SETTINGS, "subscribe": 5}, "invalid_subscription"),
        ({"event": TRACK}, "invalid_settings"),
        ({"event": TRACK, "settings": []}, "invalid_settings"),
        ({"event": TRACK, "settings": {"api_key": [], "app_code": "A"}}, "invalid_settings"),
        ({"event": TRACK, "settings": {"api_key": "a\nb", "app_code": "A"}}, "invalid_settings"),
        ({"event": TRACK, "settings": {**SETTINGS, "base_url": "ftp://x"}}, "invalid_settings"),
    ],
)
def test_what_is_wrong_with_a_line_is_its_answer(preview: Preview, line: object, kind: str) -> None:
    said = preview([line, {"event": TRACK, "settings": SETTINGS}])
    wrong, right = answers(said)
    assert (wrong["requests"], wrong["error"]["kind"]) == ([], kind)
    assert wrong["error"]["message"]
    assert len(right["requests"]) == 1
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("text", [b"{", b"\xff", b"NaN", b"[" * 100_000])
@pytest.mark.parametrize("op", [(), ("--op", "fql"), ("--op", "map")])
def test_a_line_that_is_no_json_does_not_stop_the_others(preview: Preview, text: bytes, op: tuple[str, ...]) -> None:
    said = preview(b"\n" + text + b"\n" + b"5\n", *op)
    assert [each["error"]["kind"] for each in answers(said)] == ["invalid_event", "invalid_event"]
    assert said.code == 2
    assert said.err.startswith("error: line 2 is not JSON")
    assert "Traceback" not in said.err


def test_numbers_that_no_double_holds_leave_as_null(preview: Preview) -> None:
    line = b'{"event": {"type": "identify", "userId": "u", "traits": {"a": 1e400}}, "settings": {"api_key": "k", "app_code": "c"}}'
    (got,) = answers(preview(line))
    assert got["requests"][0]["json"]["attributes"] == {"a": None}


def test_the_key_is_never_shown(preview: Preview) -> None:
    said = preview([{"event": IDENTIFY, "settings": {"pushwooshAPIKey": "the-secret", "pushwooshAppCode": "CODE"}}])
    (got,) = answers(said)
    assert got["requests"][0]["headers"]["Authorization"] == "Token ***"
    assert got["requests"][0]["headers"]["X-PW-Appcode"] == "CODE"
    assert "the-secret" not in said.out + said.err


def test_the_configured_destination_and_its_mappings_are_used_and_can_be_overridden(
    project: Project, preview: Preview
) -> None:
    destination = project.document["destinations"]["pushwoosh"]
    only_vips = {"action": "updateUserProfile", "subscribe": 'type = "identify" and traits.vip = true'}
    project.write(destinations={"pushwoosh": {**destination, "mappings": [only_vips]}})
    lines = [{"event": IDENTIFY}, {"event": {**IDENTIFY, "traits": {}}}, {"event": TRACK, "action": "trackEvent"}]
    vip, other, tracked = answers(preview(lines, "--config", str(project.config), "--destination", "pushwoosh"))
    assert vip["requests"][0]["url"].startswith(destination["base_url"])
    assert other["requests"] == []
    assert other["skipped"]
    assert tracked["requests"][0]["json"]["events"][0]["app_code"] == "APP"


def test_where_there_are_several_destinations_one_must_be_named(project: Project, preview: Preview) -> None:
    destination = project.document["destinations"]["pushwoosh"]
    project.write(destinations={"pushwoosh": destination, "other": destination})
    said = preview([{"event": IDENTIFY}], "--config", str(project.config))
    assert (said.code, said.out) == (2, "")
    assert "--destination" in said.err


@pytest.mark.parametrize("content", [b"version: 1\nsources: {shop: {url: '${NOT_SET}'}}\n", b"\xff\xfe", b"a: ["])
def test_a_file_that_happens_to_lie_here_and_cannot_be_used_stops_only_lines_that_need_it(
    preview: Preview, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "sync.yaml").write_bytes(content)
    said = preview(
        [{"event": TRACK, "settings": SETTINGS}, {"event": TRACK}, {"event": IDENTIFY, "settings": SETTINGS}]
    )
    tracked, needing, identified = answers(said)
    assert [len(each["requests"]) for each in (tracked, needing, identified)] == [1, 0, 1]
    assert needing["error"]["kind"] == "invalid_settings"
    assert said.code == 0
    assert said.err.count("note: ") == 1
    assert preview([{"event": TRACK, "settings": SETTINGS}], "--config", "sync.yaml").code == 2


def test_an_answer_too_deep_to_be_written_is_an_error_of_its_line(preview: Preview) -> None:
    nested = "[" * 900 + "]" * 900
    line = {"mapping": {"a": {"@json": {"mode": "decode", "value": nested}}}, "event": {}}
    said = preview([line, {"mapping": {"a": 1}, "event": {}}], "--op", "map")
    assert [set(each) for each in answers(said)] in ([{"error"}, {"output"}], [{"output"}, {"output"}])
    assert (said.code, said.err) == (0, "")


@pytest.mark.parametrize("redirect", ["<&-", ">&-", ">/dev/full"])
def test_streams_that_cannot_be_used_are_told_in_a_sentence(tmp_path: Path, redirect: str) -> None:
    line = json.dumps({"event": TRACK, "settings": SETTINGS})
    shell = f"echo '{line}' | {sys.executable} -m sync preview {redirect}"
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "unexpected" not in done.stderr


def test_the_documented_answer_is_the_answer(preview: Preview) -> None:
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    section = page.partition("\n## `preview`\n")[2].partition("\n## ")[0]
    line, shown = (json.loads(found) for found in re.findall(r"```json\n(.*?)```", section, re.DOTALL))
    assert answers(preview([line])) == [shown]


def documented_triggers() -> list[tuple[str, str]]:
    """The examples of docs/commands.md, each with what a line does with it."""
    page = (Path(__file__).parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
    table = page.partition("| | for example | in `sync.yaml` | in a line |\n|---|---|---|---|\n")[2].partition("\n\n")[
        0
    ]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    return [(trigger, row[3]) for row in rows for trigger in re.findall("`([^`]+)`", row[1])]


@pytest.mark.parametrize(("trigger", "in_a_line"), documented_triggers())
def test_triggers_are_as_lenient_as_documented(preview: Preview, trigger: str, in_a_line: str) -> None:
    with pytest.raises(InvalidSubscription):
        compile_trigger(trigger)
    (answer,) = answers(preview([{"subscribe": trigger, "events": [{"type": "track", "event": "b"}]}], "--op", "fql"))
    if in_a_line == "refused":
        assert answer["error"]["kind"] == "invalid_subscription"
    else:
        assert answer == {"matches": [in_a_line.startswith("skipped")]}
