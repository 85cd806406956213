"""Whatever the file holds, reading it ends in settings or in a list of problems, never in a traceback."""

from __future__ import annotations

import copy
import pathlib
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.config import load
from sync.errors import ConfigurationError

RIGHT: dict[str, Any] = {
    "version": 1,
    "project": "shop",
    "store": {"url": "postgresql://h/d", "schema": "engage"},
    "sources": {
        "shop": {
            "url": "sqlite:///s",
            "statement_timeout": "1s",
            "profiles": {"table": "t", "user_id": "u", "traits": {"column": "c"}},
            "events": [
                {"table": "t", "event": "E", "user_id": "u", "timestamp": "t", "cursor": "c", "forward": True},
                {"table": "t", "name": "n", "user_id": "u", "timestamp": "t", "cursor": "c", "forward": {"from": 1}},
            ],
        },
        "short": "sqlite:///s",
        "warehouse": {"url": "postgresql://h/d", "layout": "segment", "schema": "analytics", "lateness": "1h"},
    },
    "collector": {"listen": "127.0.0.1:80", "keys": {"web": "k", "ios": "l"}, "webhooks": {"w": {"secret": "s"}}},
    "destinations": {
        "d": {
            "type": "pushwoosh",
            "api_key": "k",
            "app_code": "c",
            "transport": "segment-integration",
            "base_url": "https://h",
            "limits": {"rate": 1, "concurrency": 1, "deadline": "1s", "lease": "9s", "quiet_period": "1s"},
            "batch": {"events": 1, "linger": "0s"},
            "retry": {"window": "1h", "attempts": 1, "longest_delay": "1m"},
            "identify_per": "computation",
            "mappings": [
                {
                    "name": "Profiles",
                    "enabled": True,
                    "partnerAction": "updateUserProfile",
                    "subscribe": 'type = "identify"',
                    "mapping": {"email": {"@path": "$.traits.email"}, "custom_attributes": {"a": [{"@literal": 1}]}},
                },
                {"action": "trackEvent", "trigger": 'event = "A"', "modelId": None, "id": "x"},
            ],
        }
    },
    "defaults": {"source": "shop", "destinations": ["d"], "schedule": "every 2 hours"},
    "audiences": [
        {"name": "A", "sql": "x", "schedule": {"cron": "* * * * *", "timezone": "UTC", "jitter": "1s"}},
        {"name": "B", "table": {"name": "t", "user_id": "u"}, "with": ["e"], "schedule": {"after": "A"}},
        {"name": "D", "query": "trait('e') > 1"},
    ],
    "traits": [
        {"name": "C", "key": "c", "sql": "x", "guard": {"max_exits": 0.1}, "schedule": "after: b"},
        {"name": "E", "query": "event('x').count()"},
    ],
}
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from(
        ["", " ", "*", "every", "every ", "after:", "1/0", "%", "://", "1" * 400 + "s", "0-0/0 * * * 1-", "${"]
    ),
    st.text(max_size=8),
    st.just("\ud800"),
    st.just([]),
    st.just([None]),
    st.just([[1]]),
    st.just({}),
    st.just({"name": None, "every": [], "url": {}}),
    st.sampled_from(
        ["trait('d') = true", "event('x').sum(property('y'))", "trait('c') > 1", "ANY trait('x').is_set()"]
    ),
    st.sampled_from([{"@nope": 1}, {"@path": "$.a", "x": 1}, {"@path": [{}]}, {"@if": {}}, 'type = "a" and', "!x"]),
    st.dates(),
    st.binary(max_size=4),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every path in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for step, inner in items for place in places(inner, (*path, step)))]


def problems_in(path: pathlib.Path) -> tuple[str, ...]:
    """What is wrong with the file; nothing when it loads."""
    try:
        load(path, {})
    except ConfigurationError as error:
        return error.problems or ("wrong, and nothing said",)
    return ()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)
@given(changes=st.lists(st.tuples(st.sampled_from(places(RIGHT)[1:]), ODD), max_size=4))
def test_any_document_ends_in_settings_or_problems(tmp_path: pathlib.Path, changes: list[tuple[Any, Any]]) -> None:
    document = copy.deepcopy(RIGHT)
    for place, odd in changes:
        inner: Any = document
        try:
            for step in place[:-1]:
                inner = inner[step]
            inner[place[-1]] = odd
        except (TypeError, KeyError, IndexError):
            continue  # an earlier change took this place away
    path = tmp_path / "sync.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    # "see the documentation" would mean that a kind of problem has no sentence of its own
    problems = problems_in(path)
    assert all(problem.startswith(str(path)) and "docs/configuration.md" not in problem for problem in problems)


def test_the_document_that_is_changed_here_is_right(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "sync.yaml"
    path.write_text(yaml.safe_dump(RIGHT), encoding="utf-8")
    assert len(load(path, {}).definitions) == 5
