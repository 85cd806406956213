"""A right file becomes settings; a wrong one is told everything that is wrong with it, at once."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Callable

import pytest

from sync.config import CatchUp, Schedule, Settings, load
from sync.errors import ConfigurationError, UsageError
from sync.model.definition import Definition, Kind, OnDelete, Table
from sync.model.delivery import DeliverySettings

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

FULL = """\
version: 1
project: shop
store: {url: "postgres://engage:pw@db/engage", schema: engage}
sources:
  shop: {url: "${SHOP}", statement_timeout: 1 minute}
  other: "sqlite:///other.db"
destinations:
  pushwoosh:
    type: pushwoosh
    api_key: ${KEY}
    app_code: ABCDE-12345
    base_url: http://127.0.0.1:8099/
    limits: {rate: 600/minute, concurrency: "${N}", deadline: 5s, lease: 10s, quiet_period: 500ms}
    retry: {window: 1h, attempts: 3, longest_delay: 1 minute}
  second: {type: pushwoosh, api_key: k, app_code: c, limits: {rate: none}}
defaults: {source: shop, destinations: pushwoosh, schedule: "*/15 * * * *"}
audiences:
  - {name: Big Spenders, sql: select 1, guard: {max_exits: 30%}, on_delete: clear}
  - name: Newsletter
    key: news
    source: other
    destinations: [second, pushwoosh]
    table: {name: crm.members, user_id: member_id}
    with: [email]
    schedule: {every: 1 day, jitter: 30s, catch_up: skip}
    enabled: false
traits:
  - {name: Total Spend, sql: select 2, guard: {max_exits: 0.25}, schedule: {after: Newsletter}}
"""
MINIMAL = "version: 1\nsources: {shop: 'sqlite:///shop.db'}\n"


def test_everything_in_the_file_arrives_in_the_settings(settings_of: Load) -> None:
    settings = settings_of(FULL, {"SHOP": "postgresql://reader:pw@db/shop", "KEY": "s3cret", "N": "7"})

    assert settings.project == "shop"
    assert settings.store.url.get_secret_value() == "postgresql+psycopg://engage:pw@db/engage"
    assert settings.store.schema == "engage"
    assert settings.sources["shop"].url.get_secret_value() == "postgresql+psycopg://reader:pw@db/shop"
    assert settings.sources["shop"].statement_timeout == 60.0
    assert settings.sources["other"].statement_timeout == 300.0
    pushwoosh = settings.destinations["pushwoosh"]
    assert pushwoosh.api_key.get_secret_value() == "s3cret"
    assert pushwoosh.app_code == "ABCDE-12345"
    assert pushwoosh.base_url == "http://127.0.0.1:8099"
    assert pushwoosh.delivery == DeliverySettings(10.0, 7, 5.0, 10.0, 0.5, 3600.0, 3, 60.0)
    assert settings.destinations["second"].delivery == DeliverySettings()
    assert settings.destinations["second"].base_url == "https://integration-segment.svc-nue.pushwoosh.com"
    assert settings.definitions == (
        Definition(
            kind=Kind.AUDIENCE,
            key="big_spenders",
            name="Big Spenders",
            source="shop",
            destinations=("pushwoosh",),
            sql="select 1",
            max_exits=0.3,
            on_delete=OnDelete.CLEAR,
        ),
        Definition(
            kind=Kind.AUDIENCE,
            key="news",
            name="Newsletter",
            source="other",
            destinations=("second", "pushwoosh"),
            table=Table("crm.members", "member_id"),
            enrichment=("email",),
            enabled=False,
        ),
        Definition(
            kind=Kind.TRAIT,
            key="total_spend",
            name="Total Spend",
            source="shop",
            destinations=("pushwoosh",),
            sql="select 2",
            max_exits=0.25,
        ),
    )
    assert settings.schedules == {
        "big_spenders": Schedule(cron="*/15 * * * *"),
        "news": Schedule(every=86400.0, jitter=30.0, catch_up=CatchUp.SKIP),
        "total_spend": Schedule(after="news"),
    }


def test_what_is_left_out_has_a_default(settings_of: Load) -> None:
    settings = settings_of(MINIMAL + "traits: [{name: A, sql: select 1}]\ndestinations:\n")

    assert settings.project == "default"
    assert settings.store.url.get_secret_value() == "sqlite:///engage-sync.db"
    assert settings.store.schema is None
    (trait,) = settings.definitions
    assert (trait.source, trait.destinations, trait.max_exits, trait.enabled) == ("shop", (), 0.5, True)
    assert settings.schedules == {"a": Schedule(every=7200.0)}


def test_a_version_is_all_a_file_needs(settings_of: Load) -> None:
    assert settings_of("version: 1\n").definitions == ()


def test_settings_cannot_be_changed_and_show_no_secret(settings_of: Load) -> None:
    settings = settings_of(FULL, {"SHOP": "postgresql://reader:hunter2@db/shop", "KEY": "s3cret", "N": "7"})
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.project = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.sources["x"] = settings.sources["shop"]  # type: ignore[index]
    assert not any(secret in repr(settings) for secret in ("hunter2", "s3cret", "pw@db"))


def test_a_definition_is_found_by_key_or_name_else_what_comes_close_is_offered(settings_of: Load) -> None:
    settings = settings_of(FULL, {"SHOP": "sqlite:///x", "KEY": "k", "N": "1"})
    assert settings.definition("news") is settings.definition("Newsletter") is settings.definitions[1]
    with pytest.raises(UsageError, match=r"'big_spender'.*did you mean 'big_spenders'"):
        settings.definition("big_spender")
    with pytest.raises(UsageError, match="shows them all"):
        settings.definition("zzz")


def test_a_name_shared_by_two_definitions_has_to_be_told_apart_by_key(settings_of: Load) -> None:
    settings = settings_of(MINIMAL + "traits: [{name: A b, sql: x}, {name: A b, key: c, sql: x}]\n")
    with pytest.raises(UsageError, match="a_b, c"):
        settings.definition("A b")


def test_a_missing_file_says_how_to_get_one(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(pathlib.Path("sync.yaml"), {})
    assert caught.value.problems == ("sync.yaml does not exist: run `engage-sync init` or give --config",)


MANY_FAULTS = """\
version: 2
projct: shop
store: {url: "mysql://user:pa55@host/db", schema: Bad-Name}
sources:
  Shop: {url: "${UNSET}"}
  collector: sqlite:///x.db
  data: hunter2
destinations:
  pw:
    type: pushwosh
    api_key: ""
    app_code: "a\\nb"
    base_url: http://example.com
    enabled: true
    limits: {rate: -1, lease: 5s, concurrency: 0, concurency: 1}
    retry: {window: soon, attempts: yes}
  pw: {}
defaults: {source: shp, destinations: [pw, pww], schedule: every 0 hours}
audiences:
  - {name: Big Spenders, sql: select 1, schedule: "0 9 * * 9", guard: {max_exits: 30}, squl: 3}
  - name: Email
    table: {name: a, user_idd: b}
    sql: x
    schedule: {after: Nope}
  - {name: Чч, query: x, destinations: pq, source: dat}
  - just text
  - {name: A, sql: x, schedule: {after: B}}
  - {name: B, sql: x, schedule: "after: a"}
traits:
  - {name: big spenders, with: [x], on_delete: keep, enabled: 3}
  - {name: Total, sql: "", key: Ab}
"""
EXPECTED = [
    "sync.yaml:1: version: must be 1",
    "sync.yaml:2: projct: is not a known key; did you mean `project`?",
    "sync.yaml:3: store.url: must be sqlite or postgresql",
    "sync.yaml:3: store.schema: must be of small letters",
    "sync.yaml:5: sources.Shop.url: the variable UNSET is not set",
    "sync.yaml:5: sources.Shop: must start with a small Latin letter",
    "sync.yaml:6: sources.collector: is the name of the built-in source",
    "sync.yaml:7: sources.data: must be a database URL",
    "sync.yaml:10: destinations.pw.type: must be 'pushwoosh'",
    "sync.yaml:11: destinations.pw.api_key: must not be empty",
    "sync.yaml:12: destinations.pw.app_code: must be plain ASCII",
    "sync.yaml:13: destinations.pw.base_url: must start with https://",
    "sync.yaml:14: destinations.pw.enabled: is not a known key",
    "sync.yaml:15: destinations.pw.limits.rate: must be `none`",
    "sync.yaml:15: destinations.pw.limits.lease: `lease` must be longer than `deadline` plus 1 s",
    "sync.yaml:15: destinations.pw.limits.concurrency: must be at least 1",
    "sync.yaml:15: destinations.pw.limits.concurency: is not a known key; did you mean `concurrency`?",
    "sync.yaml:16: destinations.pw.retry.window: must be a duration",
    "sync.yaml:16: destinations.pw.retry.attempts: must be a whole number",
    "sync.yaml:17: destinations.pw: is given twice, first in line 9",
    "sync.yaml:18: defaults.source: there is no such source",
    "sync.yaml:18: defaults.destinations[1]: there is no such destination; did you mean `pw`?",
    "sync.yaml:18: defaults.schedule: must be longer than nothing",
    "sync.yaml:20: audiences[0].schedule: has a weekday that does not exist",
    "sync.yaml:20: audiences[0].guard.max_exits: must be a share",
    "sync.yaml:20: audiences[0].squl: is not a known key; did you mean `sql`?",
    "sync.yaml:21: audiences[1].name: gives a key that Pushwoosh reads as a field",
    "sync.yaml:22: audiences[1].table.user_id: is missing",
    "sync.yaml:22: audiences[1].table.user_idd: is not a known key; did you mean `user_id`?",
    "sync.yaml:22: audiences[1].table: is given beside `sql`",
    "sync.yaml:24: audiences[1].schedule: there is no definition to run after",
    "sync.yaml:25: audiences[2].name: has no Latin letter or digit",
    "sync.yaml:25: audiences[2].query: goes wrong in its line 1, column 1: `x` stands without quotes",
    "sync.yaml:25: audiences[2].destinations: there is no such destination: use one of `pw`",
    "sync.yaml:25: audiences[2].source: there is no such source; did you mean `data`?",
    "sync.yaml:26: audiences[3]: must be a mapping",
    "sync.yaml:27: audiences[4].schedule: runs after itself (A → B → A)",
    "sync.yaml:30: traits[0].name: gives the same key `big_spenders` as audiences[0] (line 20)",
    "sync.yaml:30: traits[0].with: is not a known key",
    "sync.yaml:30: traits[0]: says nothing about its values: give `query` or `sql`",
    "sync.yaml:30: traits[0].on_delete: must be 'leave' or 'clear'",
    "sync.yaml:30: traits[0].enabled: must be true or false",
    "sync.yaml:31: traits[1].sql: must not be empty",
    "sync.yaml:31: traits[1].key: must be of small Latin letters",
]


def test_every_problem_of_a_file_is_reported_at_once_with_line_and_path(problems_of: Problems) -> None:
    problems = problems_of(MANY_FAULTS)

    unreported = [start for start in EXPECTED if not any(problem.startswith(start) for problem in problems)]
    unexpected = [problem for problem in problems if not problem.startswith(tuple(EXPECTED))]
    assert (unreported, unexpected) == ([], [])
    lines = [int(problem.split(":")[1]) for problem in problems]
    assert lines == sorted(lines)
    assert not any("pa55" in problem or "hunter2" in problem for problem in problems)


def test_a_value_that_could_not_be_filled_in_is_complained_about_once(problems_of: Problems) -> None:
    problems = problems_of("version: 1\nstore: ${STORE}\nsources: {a: '${A}'}\ntraits: [{name: '${N}', sql: x}]\n")
    assert [problem.split(": ")[1] for problem in problems] == ["store", "sources.a", "traits[0].name"]


@pytest.mark.parametrize(
    ("definition", "sentence"),
    [
        ("{name: A}", "says nothing about its members: give `query`, `sql` or `table`"),
        ("{name: A, sql: x, source: nope}", "there is no such source: use one of `shop`"),
        ("{name: A, sql: x, destinations: [d]}", "there is no such destination: add it under `destinations`"),
        ("{name: User Agent, sql: x}", "gives a key that Pushwoosh reads as a field of the profile, and loses"),
        ("{name: A, key: timezone, sql: x}", "gives a key that Pushwoosh reads as a field of the profile, and loses"),
        ("{name: A, key: a-b, sql: x}", "must be of small Latin letters, digits and `_` only"),
        ('{name: A, key: "a\\n", sql: x}', "must be of small Latin letters, digits and `_` only"),
        (f"{{name: {'a' * 256}, sql: x}}", "makes a key longer than 255 characters"),
        (f"{{name: a, key: {'a' * 256}, sql: x}}", "must be at most 255 characters long"),
        ("{name: A, sql: x, schedule: {after: A}}", "runs after itself (A → A): give one of them a time"),
        ("{name: A, sql: x, schedule: {every: 1 hour, cron: '* * * * *'}}", "needs exactly one of"),
        ("{name: A, sql: x, schedule: {every: 1 hour, timezone: UTC}}", "has a `timezone`, which only `cron` reads"),
        ("{name: A, sql: x, schedule: {cron: '0 0 * * *', timezone: Mars/Base}}", "must be an IANA timezone"),
        ("{name: A, sql: x, schedule: {cron: '0 0 * * *', timezone: Europe}}", "must be an IANA timezone"),
        ("{name: A, sql: x, schedule: 0 0 30 2 *}", "never comes"),
        ("{name: A, sql: x, schedule: 61 0 * * *}", "is not a cron expression"),
        ("{name: A, sql: x, schedule: hourly}", "must be `every N seconds|minutes|hours|days`, five cron fields"),
        ("{name: A, sql: x, schedule: every 100 ms}", "must be a whole number of seconds"),
        ("{name: A, sql: x, guard: {max_exits: 130%}}", "must be a share between 0% and 100%"),
        ("{name: 2026-01-01, sql: x}", "must be text: put quotes around it"),
        ("{name: A, sql: x, with: email, wth: 1}", "is not a known key; did you mean `with`?"),
    ],
)
def test_a_wrong_definition_is_refused_with_a_sentence(problems_of: Problems, definition: str, sentence: str) -> None:
    (problem,) = problems_of(f"{MINIMAL}audiences:\n  - {definition}\n")
    assert problem.startswith("sync.yaml:4: audiences[0]")
    assert sentence in problem


def test_a_definition_needs_a_source_to_ask(problems_of: Problems) -> None:
    audience = "audiences: [{name: A, sql: x}]\n"
    (none,) = problems_of("version: 1\n" + audience)
    assert none.endswith("has no source to ask: add one under `sources`")
    (several,) = problems_of("version: 1\nsources: {a: 'sqlite:///a', b: 'sqlite:///b'}\n" + audience)
    assert several.endswith("has no source to ask: give `source:` or `defaults.source`")


def test_chains_of_after_are_resolved_to_keys_by_name_or_key(settings_of: Load) -> None:
    settings = settings_of(
        MINIMAL + "traits:\n- {name: A B, key: ab, sql: x}\n- {name: C, sql: x, schedule: 'after:A B'}\n"
        "- {name: D, sql: x, schedule: {after: ab}}\n"
    )
    assert [settings.schedules[key].after for key in ("ab", "c", "d")] == [None, "ab", "ab"]


def test_a_long_circle_is_told_once_with_its_chain(problems_of: Problems) -> None:
    (problem,) = problems_of(
        MINIMAL + "traits:\n- {name: Into, sql: x, schedule: 'after: A'}\n- {name: A, sql: x, schedule: 'after: B'}\n"
        "- {name: B, sql: x, schedule: 'after: C'}\n- {name: C, sql: x, schedule: 'after: A'}\n"
    )
    assert "traits[1].schedule: runs after itself (A → B → C → A)" in problem


@pytest.mark.parametrize(
    "url", ["http://localhost:1", "http://127.3.2.1", "http://[::1]:80/", "https://example.com", "https://h/path"]
)
def test_a_base_url_may_be_https_anywhere_or_http_on_this_host(settings_of: Load, url: str) -> None:
    text = f"version: 1\ndestinations: {{d: {{type: pushwoosh, api_key: k, app_code: c, base_url: '{url}'}}}}\n"
    assert settings_of(text).destinations["d"].base_url == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "http://localhost.example.com",
        "http://127.0.0.1.example.com",
        "http://10.0.0.1",
        "http://user@localhost",
        "https://user:pw@example.com",
        "https://example.com?x=1",
        "https://example.com/?",
        "https://example.com#f",
        "https://example.com:99999",
        "https://[",
        "https://",
        "ftp://example.com",
        "http://localhost\\\\@example.com",
        "https://exa mple.com",
        "example.com",
        "",
    ],
)
def test_a_base_url_that_would_leak_the_key_or_goes_nowhere_is_refused(problems_of: Problems, url: str) -> None:
    (problem,) = problems_of(
        f'version: 1\ndestinations: {{d: {{type: pushwoosh, api_key: k, app_code: c, base_url: "{url}"}}}}\n'
    )
    assert "destinations.d.base_url: must " in problem


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("sqlite:///a.db", "sqlite:///a.db"),
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
        ("postgresql+psycopg://h/d", "postgresql+psycopg://h/d"),
    ],
)
def test_the_store_is_sqlite_or_postgresql_with_psycopg(settings_of: Load, written: str, meant: str) -> None:
    assert settings_of(f"version: 1\nstore: '{written}'\n").store.url.get_secret_value() == meant


@pytest.mark.parametrize(
    "url", ["mysql://h/d", "postgresql+asyncpg://h/d", "sqlite://", "'sqlite:///:memory:'", "sqlite:///", "x.db", "''"]
)
def test_another_store_is_refused(problems_of: Problems, url: str) -> None:
    (problem,) = problems_of(f"version: 1\nstore: {url}\n")
    assert problem.startswith("sync.yaml:2: store: must ")


@pytest.mark.parametrize("url", ["", "url: 'sqlite:///a.db', "])
def test_a_schema_goes_with_postgresql_only(problems_of: Problems, url: str) -> None:
    (problem,) = problems_of(f"version: 1\nstore: {{{url}schema: engage}}\n")
    assert "store.schema: goes with a PostgreSQL store only" in problem


def test_a_lease_must_outlast_the_deadline_whichever_of_them_is_given(problems_of: Problems) -> None:
    head = "version: 1\ndestinations: {d: {type: pushwoosh, api_key: k, app_code: c, limits: "
    for limits, key in (
        ("{lease: 11s}", "lease"),
        ("{deadline: 29s}", "deadline"),
        ("{lease: 3s, deadline: 2s}", "lease"),
    ):
        (problem,) = problems_of(f"{head}{limits}}}}}\n")
        assert f"limits.{key}: `lease` must be longer than `deadline` plus 1 s" in problem
