"""Rules and dashboard ask for metrics that exist, by labels they have; every alert says what to do."""

from __future__ import annotations

import re

import pytest

from sync.config.listen import parse
from sync.model.alert import AlertKind
from sync.web import catalogue, collector
from sync.web.catalogue import METRICS, Kind
from tests.deploy.shipped import COMPOSE, DASHBOARD, OPERATIONS, RULES, SCRAPING, queries

KNOWN = {metric.full_name: metric for metric in METRICS}
GENERAL = {
    "up": {"job"},
    "process_start_time_seconds": {"job"},
    "process_resident_memory_bytes": {"job"},
    "process_cpu_seconds_total": {"job"},
}
"""Prometheus's own, and those of its library."""

PROMETHEUS_ADDS = {"instance", "job"}
FUNCTIONS = {"absent", "changes", "count", "increase", "max", "rate", "sum"}
KEYWORDS = {"by", "on", "and", "or", "unless"}
VALUES = {
    (catalogue.BREAKER, "state"): set(collector.BREAKER_STATES),
    (catalogue.BACKLOG, "state"): {"due", "sending", "waiting", "confirm", "parked"},
    (catalogue.EVENTS, "state"): set(collector.EVENT_STATES),
    (catalogue.DELETIONS, "state"): set(collector.DELETION_STATES),
    (catalogue.RUN_STATUS, "status"): set(map(str, collector.ENDINGS)),
    (catalogue.EXCHANGES, "verdict"): set(map(str, catalogue.VERDICTS)),
    (catalogue.LEASE_HOLDER, "lease"): {"leader"},
}
ALERTS = [rule["alert"] for group in RULES["groups"] for rule in group["rules"]]
HEADINGS = re.findall(r"^### (.*)\n\n(?=\S)", OPERATIONS, re.MULTILINE)


def selectors(query: str) -> list[tuple[str, str]]:
    """What a query asks for: names, each with what stands in its braces."""
    plain = re.sub(r"\b(by|on)\s*\([^)]*\)", r"\1", query)
    found = re.findall(r"([a-zA-Z_]\w*)(\{[^}]*\})?", re.sub(r"\[\w+\]", "", plain))
    return [
        (name, braces) for name, braces in found if name not in FUNCTIONS | KEYWORDS and not re.fullmatch(r"e\d+", name)
    ]


@pytest.mark.parametrize(("where", "query"), queries())
def test_every_query_asks_for_what_there_is(where: str, query: str) -> None:
    asked = selectors(query)
    assert asked, where
    for name, braces in asked:
        labels = set(KNOWN[name].labels) if name in KNOWN else GENERAL[name]
        for label, _, words in re.findall(r'(\w+)(=~|!=|=)"([^"]*)"', braces):
            assert label in labels, f"{name} has no label {label}"
            if not words.startswith("$") and label != "job":
                assert set(words.split("|")) <= VALUES[KNOWN[name], label], f"{name}: {words}"


@pytest.mark.parametrize(("where", "query"), queries())
def test_every_query_groups_by_labels_there_are(where: str, query: str) -> None:
    labels = {label for name, _ in selectors(query) for label in (KNOWN[name].labels if name in KNOWN else ())}
    for group in re.findall(r"\bby\s*\(([^)]*)\)", query):
        assert {label.strip() for label in group.split(",")} <= labels | PROMETHEUS_ADDS, where


@pytest.mark.parametrize(("where", "query"), queries())
def test_counters_are_asked_for_their_rate_and_nothing_else_is(where: str, query: str) -> None:
    counters = set(re.findall(r"(?:rate|increase)\((\w+)", query))
    asked = {name for name, _ in selectors(query)}
    assert counters == {
        name for name in asked if (KNOWN[name].kind is Kind.COUNTER if name in KNOWN else name.endswith("_total"))
    }, where


def test_a_query_of_something_else_would_be_noticed() -> None:
    assert selectors('max(engage_sync_gone{a="b"}) > 1e6 and on () up') == [("engage_sync_gone", '{a="b"}'), ("up", "")]


def test_every_metric_of_ours_is_shown_or_alerted_on() -> None:
    asked = {name for _, query in queries() for name, _ in selectors(query)}
    per_run = {each.full_name for each in (catalogue.ENTERED, catalogue.EXITED, catalogue.CHANGED)}
    assert set(KNOWN) - asked == per_run  # their counters are shown


@pytest.mark.parametrize("rule", [rule for group in RULES["groups"] for rule in group["rules"]], ids=ALERTS)
def test_a_rule_says_how_bad_it_is_and_uses_only_labels_it_has(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    query = str(rule["expr"])
    said = " ".join(rule["annotations"].values())
    grouped = re.findall(r"\bby\s*\(([^)]*)\)", query)
    has = set(re.split(r",\s*", grouped[0])) if grouped else set()
    if not grouped and not re.match(r"(max|absent)\(", query):
        has = PROMETHEUS_ADDS | {
            label for name, _ in selectors(query)[:1] if name in KNOWN for label in KNOWN[name].labels
        }
    assert set(re.findall(r"\$labels\.(\w+)", said)) <= has


def test_every_alert_has_a_paragraph_that_says_what_to_do() -> None:
    named = [name for heading in HEADINGS for name in re.findall(r"`(\w+)`", heading)]
    assert len(ALERTS) == len(set(ALERTS))
    assert set(named) == set(ALERTS) | set(AlertKind)
    assert len(named) == len(set(named))


def test_what_is_scraped_is_where_the_daemons_listen() -> None:
    job = SCRAPING["scrape_configs"][0]
    assert job["job_name"] == "engage-sync"
    assert SCRAPING["rule_files"] == ["rules.yml"]
    ports = {address.port for target in job["static_configs"][0]["targets"] if (address := parse(target))}
    assert ports == {int(port) for port in COMPOSE["services"]["daemon"]["expose"]}


def test_the_dashboards_panels_stand_beside_each_other() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells, panel["title"]
        taken |= cells
    sources = {str(panel["datasource"]["uid"]) for panel in DASHBOARD["panels"] if "datasource" in panel}
    assert sources == {"${datasource}"}
    variables = {each["name"] for each in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$(\w+)", " ".join(query for _, query in queries())))
    assert used <= variables
