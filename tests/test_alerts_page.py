"""docs/alerts.md is true: its alerts are all there are, its example is what is sent, its checks of a signature work."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from sync.config import AlertSettings
from sync.daemon import alerts, notices, notifier
from sync.daemon.notices import SIGNATURE, Notice
from sync.model.alert import AlertKind, AlertState, Observed, Subject, Watch, judge

PAGE = (Path(__file__).parents[1] / "docs" / "alerts.md").read_text(encoding="utf-8")
SECRET = "hunter2-Tr0ub4dor"
SINCE = datetime(2026, 11, 21, 22, 26, 48, 123_456, tzinfo=UTC)
WATCH = Watch(frozenset(AlertKind), 0)
WEBHOOK = AlertSettings(0, "webhook", SecretStr("https://alerts.example"), SecretStr(SECRET), WATCH)
SLACK = AlertSettings(1, "slack", SecretStr("https://alerts.example"), None, WATCH)


def block(kind: str, number: int = 0) -> str:
    """A fenced block of the page."""
    return str(re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)[number])


def told() -> list[Notice]:
    """The two changes of the example, as they come about."""
    observed = Observed({"pushwoosh": ("open", "401 unauthorized")}, {}, {}, {})
    found = judge(observed, WATCH, destinations=["pushwoosh"], definitions=["big_spenders"])
    subjects = (
        Subject(AlertKind.DESTINATION_DOWN, "pushwoosh"),
        Subject(AlertKind.GUARD_HELD, "big_spenders"),
    )
    states = (AlertState.FIRING, AlertState.RESOLVED)
    assert tuple(found[subject].state for subject in subjects) == states
    return [
        Notice("", subject, found[subject].state or states[0], SINCE, found[subject].detail) for subject in subjects
    ]


def test_every_alert_is_on_the_page_and_every_alert_of_the_page_exists() -> None:
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(AlertKind)


def test_the_example_is_what_is_sent() -> None:
    request = notices.request(WEBHOOK, "shop", told(), SINCE)
    assert json.loads(request.content) == json.loads(block("json"))


def test_the_line_for_slack_is_what_is_sent() -> None:
    request = notices.request(SLACK, "shop", told()[:1], SINCE)
    assert json.loads(request.content) == {"text": block("text").rstrip("\n")}


def test_the_numbers_are_those_of_the_program() -> None:
    assert f"{notifier.MOST_AT_ONCE} at most" in PAGE
    assert f"2xx within {notifier.DEADLINE:.0f} seconds" in PAGE
    assert f"every {notifier.LONGEST_DELAY / 60:.0f} minutes" in PAGE
    assert f"looks every {alerts.LOOK_EVERY:.0f} seconds" in PAGE
    assert block("text", 1).startswith(f"{SIGNATURE}: t=")


def test_the_check_in_python_takes_what_is_genuine_and_nothing_else() -> None:
    found: dict[str, Any] = {}
    exec(block("python"), found)  # noqa: S102 - the page's own
    is_genuine = found["is_genuine"]
    now = datetime.now(UTC)
    request = notices.request(WEBHOOK, "shop", told(), now)
    header = request.headers[SIGNATURE]
    assert is_genuine(header, request.content, SECRET)
    assert not is_genuine(header, request.content + b" ", SECRET)
    assert not is_genuine(header, request.content, "another secret")
    assert not is_genuine(header.replace("t=1", "t=2", 1), request.content, SECRET)
    old = notices.request(WEBHOOK, "shop", told(), now - timedelta(minutes=6))
    assert not is_genuine(old.headers[SIGNATURE], old.content, SECRET)


def test_the_check_by_hand_gives_the_signature(tmp_path: Path) -> None:
    request = notices.request(WEBHOOK, "shop", told(), SINCE)
    (tmp_path / "body.json").write_bytes(request.content)
    time, signed = (part.partition("=")[2] for part in request.headers[SIGNATURE].split(","))
    said = subprocess.run(
        ["sh", "-c", block("sh")],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "T": time, "SECRET": SECRET},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split()[0] == signed
