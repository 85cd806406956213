"""Who is told, and how long history is kept: read right, and refused with a reason."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.config import Settings
from sync.model.alert import AlertKind, Watch
from sync.model.retention import Retention

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

WEBHOOK = "version: 1\nalerts: [{type: webhook, url: 'https://alerts.example/hook?token=t0ken', secret: s3cret%s}]\n"


def test_alerts_arrive_with_what_they_want_to_hear(settings_of: Load) -> None:
    settings = settings_of(
        "version: 1\n"
        "alerts:\n"
        "  - {type: webhook, url: '${URL}', secret: '${SECRET}', on: [parked_above, guard_held], parked_above: '${N}'}\n"
        "  - {type: slack, url: 'http://127.0.0.1:9000/x', on: destination_down}\n",
        {"URL": "https://alerts.example/hook?token=t0ken", "SECRET": "s3cret", "N": "100"},
    )

    webhook, slack = settings.alerts
    assert (webhook.index, webhook.type) == (0, "webhook")
    assert webhook.url.get_secret_value() == "https://alerts.example/hook?token=t0ken"
    assert webhook.secret is not None
    assert webhook.secret.get_secret_value() == "s3cret"
    assert webhook.watch == Watch(frozenset({AlertKind.PARKED_ABOVE, AlertKind.GUARD_HELD}), 100)
    assert (slack.index, slack.type, slack.secret) == (1, "slack", None)
    assert slack.watch == Watch(frozenset({AlertKind.DESTINATION_DOWN}), 0)


def test_without_on_everything_is_told(settings_of: Load) -> None:
    (alert,) = settings_of(WEBHOOK % "").alerts
    assert alert.watch == Watch(frozenset(AlertKind), 0)


def test_nothing_is_told_to_nobody(settings_of: Load) -> None:
    assert settings_of("version: 1\n").alerts == ()


def test_a_receiver_is_known_by_its_address_and_shows_nothing_of_it(settings_of: Load) -> None:
    (one,) = settings_of(WEBHOOK % "").alerts
    (same,) = settings_of(WEBHOOK % ", on: [guard_held]").alerts
    (other,) = settings_of(WEBHOOK.replace("t0ken", "other") % "").alerts
    assert one.id == same.id != other.id
    assert "t0ken" not in repr(one)
    assert "s3cret" not in repr(one)


@pytest.mark.parametrize(
    ("alert", "said"),
    [
        ("{type: webhook, url: 'https://a.example'}", "alerts[0]: has no `secret` to sign with"),
        ("{type: webhook, url: 'https://a.example', secret: '${EMPTY}'}", "alerts[0].secret: must not be empty"),
        ("{type: slack, url: 'https://a.example', secret: t0ken}", "alerts[0]: has a `secret`, which `slack`"),
        ("{type: slack, url: 'http://a.example/t0ken'}", "alerts[0].url: must start with https://"),
        ("{type: slack, url: 'ftp://127.0.0.1/t0ken'}", "alerts[0].url: must be a URL like `https://host`"),
        ("{type: slack, url: 'https://u:t0ken@a.example'}", "alerts[0].url: must be without user name"),
        ("{type: mail, url: 'https://a.example'}", "alerts[0].type: must be 'webhook' or 'slack'"),
        ("{type: slack, url: 'https://a.example', on: []}", "alerts[0]: has an empty `on`"),
        ("{type: slack, url: 'https://a.example', on: [t0ken]}", "alerts[0].on[0]: must be 'destination_down', "),
        (
            "{type: slack, url: 'https://a.example', on: guard_held, parked_above: 3}",
            "alerts[0]: has a `parked_above`, but `on` does not ask for it",
        ),
        ("{type: slack, url: 'https://a.example', parked_above: -1}", "alerts[0].parked_above: must be at least 0"),
        ("{type: slack, url: 'https://a.example', parked_over: 1}", "alerts[0].parked_over: is not a known key"),
        (
            "{type: slack, url: 'https://a.example/t0ken'}, {type: slack, url: 'https://a.example/t0ken'}",
            "alerts: has the same type and address at [0] and [1]",
        ),
    ],
)
def test_a_wrong_alert_is_refused_with_a_reason_and_without_its_secrets(
    problems_of: Problems, alert: str, said: str
) -> None:
    (problem,) = problems_of(f"version: 1\nalerts: [{alert}]\n", {"EMPTY": ""})
    assert problem.startswith(f"sync.yaml:2: {said}")
    assert "t0ken" not in problem


def test_retention_is_read_and_has_defaults(settings_of: Load) -> None:
    day = 86_400.0
    assert settings_of("version: 1\n").retention == Retention(90 * day, 7 * day, 400 * day)
    given = settings_of("version: 1\nretention: {runs: 30 days, attempts: 12h, events: 1 week}\n").retention
    assert given == Retention(30 * day, day / 2, 7 * day)


def test_a_wrong_retention_is_refused(problems_of: Problems) -> None:
    assert problems_of("version: 1\nretention: {runs: 90, attempts: never}\n") == [
        f"sync.yaml:2: retention.{key}: must be a duration with its unit, like `10s`, `5 minutes`, `24h` or `30 days`"
        for key in ("runs", "attempts")
    ]
