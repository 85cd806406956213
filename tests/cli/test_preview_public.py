"""``preview`` of the documented API: which requests an event becomes there, and no secret in them."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from sync.destinations.pushwoosh.preview import Configured, Preview
from sync.destinations.pushwoosh.public.tokens import TokenKind
from sync.destinations.pushwoosh.transport import Transport
from tests.command import Project

Json = dict[str, Any]

SETTINGS = {"api_key": "the-secret", "app_code": "XXXXX-XXXXX", "transport": "public-api"}
PROFILE: Json = {
    "type": "identify",
    "userId": "u1",
    "traits": {"vip": True},
    "context": {"device": {"id": "d1", "type": "ios"}, "timezone": "Etc/GMT-2"},
}
TRACK: Json = {"type": "track", "userId": "u1", "event": "Order", "timestamp": "2024-05-17T10:11:12Z"}


def shown(line: Json, configured: Configured | None = None) -> Json:
    """The answer to a line, with the bodies read."""
    found: Json = orjson.loads(orjson.dumps(Preview(lambda _: configured or Configured()).answer(line)))
    assert "the-secret" not in str(found)
    return found


def test_a_line_may_name_the_transport() -> None:
    found = shown({"event": PROFILE, "settings": SETTINGS})
    assert [(each["url"], each["json"]["request"]) for each in found["requests"]] == [
        (
            "https://api.pushwoosh.com/json/1.3/registerUser",
            {"application": "XXXXX-XXXXX", "hwid": "d1", "userId": "u1", "tz_offset": 7200, "device_type": 1},
        ),
        (
            "https://api.pushwoosh.com/json/1.3/setTags",
            {"application": "XXXXX-XXXXX", "userId": "u1", "tags": {"vip": True}},
        ),
    ]
    assert found["requests"][0]["headers"]["Authorization"] == "Token ***"


def test_events_of_a_batch_go_one_by_one() -> None:
    found = shown({"events": [TRACK, {"type": "group"}, TRACK], "settings": SETTINGS})
    assert [each["url"].rpartition("/")[2] for each in found["requests"]] == ["postEvent", "postEvent"]
    assert [each["event"] for each in found["skipped"]] == [1]
    assert found["requests"][0]["json"]["request"]["timestampUTC"] == 1715940672


def test_a_server_token_is_masked_where_it_stands() -> None:
    [request] = shown({"event": TRACK, "settings": {**SETTINGS, "token": "server"}})["requests"]
    assert "Authorization" not in request["headers"]
    assert request["json"]["request"]["auth"] == "***"


@pytest.mark.parametrize(
    "wrong", [{"transport": "carrier-pigeon"}, {"token": "gold"}, {"transport": []}, {"base_url": "ftp://x"}]
)
def test_what_does_not_exist_is_the_lines_answer(wrong: Json) -> None:
    error = shown({"event": TRACK, "settings": {**SETTINGS, **wrong}})["error"]
    assert (error["kind"], next(iter(wrong)) in error["message"]) == ("invalid_settings", True)


def test_a_transport_of_its_own_has_its_own_address() -> None:
    configured = Configured("https://here.example", "the-secret", "A-B", None, Transport.PUBLIC, TokenKind.DEVICE)
    same = shown({"event": TRACK}, configured)
    other = shown({"event": TRACK, "settings": {"transport": "segment-integration"}}, configured)
    assert same["requests"][0]["url"].startswith("https://here.example/json/1.3/")
    assert other["requests"][0]["url"].startswith("https://integration-segment.")


def test_the_configured_transport_is_previewed_and_none_of_its_tokens_shown(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushwoosh = {
        "type": "pushwoosh",
        "transport": "public-api",
        "api_key": "the-secret",
        "server_token": "the-secret-too",
        "app_code": "A-B",
        "base_url": "https://dedicated.example",
    }
    project.write(destinations={"pushwoosh": pushwoosh})
    lines = orjson.dumps({"event": PROFILE}) + b"\n" + orjson.dumps({"event": TRACK}) + b"\n"
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(lines)))
    said = project("preview")
    assert said.code == 0
    assert "the-secret" not in said.out + said.err
    assert [method in said.out for method in ("registerUser", "setTags", "postEvent")] == [True, True, True]
    assert "https://dedicated.example/json/1.3/" in said.out
