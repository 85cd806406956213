"""``/metrics``: the store's numbers and the daemon's, in a format that Prometheus reads, and never a user."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from sqlalchemy import text

from sync import telemetry
from sync.config import Settings
from sync.errors import DataError, StoreUnavailable
from sync.model.definition import Definition
from sync.model.run import RunKind
from sync.refresh.run import refresh
from sync.store import deletions, destinations, forgetting, leases, measures
from sync.store.deletions import State
from sync.store.engine import Database, connect
from sync.store.slots import Transition
from sync.web import WebState, catalogue, metrics
from sync.web.catalogue import METRICS, Kind, Origin
from tests.logged import forwards, held, log, passed
from tests.moving_clock import MovingClock
from tests.recorder import audience, claim, record, settle, trait
from tests.shop import Shop
from tests.web.conftest import Watching

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
PREFIX = "engage_sync_"

Labels = frozenset[tuple[str, str]]


def numbers(page: str) -> dict[tuple[str, Labels], float]:
    """Every sample of a page, by its name without our prefix and its labels."""
    return {
        (sample.name.removeprefix(PREFIX), frozenset(sample.labels.items())): sample.value
        for family in parse_text(page)
        for sample in family.samples
    }


async def scraped(client: httpx.AsyncClient) -> dict[tuple[str, Labels], float]:
    answer = await client.get("/metrics")
    assert answer.status_code == 200
    return numbers(answer.text)


def one(found: dict[tuple[str, Labels], float], name: str, **labels: str) -> float:
    return found[name, frozenset(labels.items())]


def test_the_documentation_has_every_metric_as_the_code_has_it() -> None:
    rows = re.findall(r"^\| `(engage_sync_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", PAGE, re.MULTILINE)
    written = [(name, kind, tuple(re.findall(r"`(\w+)`", labels)), meaning) for name, kind, labels, meaning in rows]
    assert written == [(each.full_name, each.kind, each.labels, each.meaning) for each in METRICS]


def test_every_metric_that_the_documentation_asks_for_exists() -> None:
    assert set(re.findall(r"engage_sync_\w+", PAGE)) == {each.full_name for each in METRICS}


async def test_every_metric_is_scraped_with_its_labels_and_no_other(state: WebState, watching: Watching) -> None:
    record(state.database, audience(), ["ann"])
    leases.acquire(state.database, "leader", 60)
    state.vitals.up("ticker")
    state.vitals.looked_at = state.clock.monotonic()
    async with watching(state) as client:
        page = (await client.get("/metrics")).text
    found = {
        sample.name: (family.type, set(sample.labels))
        for family in parse_text(page)
        for sample in family.samples
        if sample.name.startswith(PREFIX)
    }
    assert found == {each.full_name: (each.kind, set(each.labels)) for each in METRICS}


async def test_the_stores_numbers_are_shown(state: WebState, watching: Watching, clock: MovingClock) -> None:
    database = state.database
    record(database, audience(), ["ann", "bob", "cid"])
    record(database, trait(), {"ann": 1})
    clock.advance(100)
    for claimed in claim(database):
        settle(database, claimed, Transition.PARK if claimed.user_id == "ann" else Transition.DEFER, seconds=9)
    destinations.report(database, "push", "open", "401")
    leases.acquire(database, "destination:push", 60)
    async with watching(state) as client:
        found = await scraped(client)
    assert 100 <= one(found, "definition_freshness_seconds", definition="vip") < 160
    assert one(found, "definition_members", definition="vip") == 3
    assert one(found, "definition_last_run_entered", definition="vip") == 3
    endings = ("succeeded", "held", "failed", "lost")
    assert [one(found, "definition_last_run_status", definition="vip", status=each) for each in endings] == [1, 0, 0, 0]
    states = ("due", "sending", "confirm", "waiting", "parked")
    assert [one(found, "backlog_users", destination="push", state=each) for each in states] == [0, 0, 0, 2, 1]
    assert 100 <= one(found, "oldest_owed_seconds", destination="push") < 160
    breakers = ("closed", "open", "half_open")
    assert [one(found, "breaker_state", destination="push", state=each) for each in breakers] == [0, 1, 0]
    assert one(found, "lease_term", lease="destination:push") == 1
    assert one(found, "store_up") == 1


async def test_what_of_the_log_has_not_been_forwarded_is_shown(
    state: WebState, watching: Watching, clock: MovingClock
) -> None:
    database = state.database
    forwards(database, destination="push")
    done, parked, waiting = (log(database) for _ in range(3))
    held(database, parked, destination="push")
    held(database, waiting, "waiting", destination="push")
    passed(database, waiting, destination="push")
    clock.advance(50)
    for _ in range(2):
        log(database)
    log(database, "bob")
    clock.advance(50)
    assert done < parked
    async with watching(state) as client:
        found = await scraped(client)
    states = ("unread", "waiting", "parked")
    assert [one(found, "event_backlog", destination="push", state=each) for each in states] == [3, 1, 1]
    assert 100 <= one(found, "event_lag_seconds", destination="push") < 160
    assert 100 <= one(found, "log_age_seconds") < 160
    assert one(found, "store_bytes") > 50_000


async def test_a_destination_that_gets_no_events_has_none_to_get(state: WebState, watching: Watching) -> None:
    log(state.database)
    async with watching(state) as client:
        found = await scraped(client)
    assert one(found, "event_backlog", destination="push", state="unread") == 0
    assert one(found, "event_lag_seconds", destination="push") == 0


async def test_what_was_collected_is_counted_from_zero_by_every_key(state: WebState, watching: Watching) -> None:
    async with watching(state) as client:
        found = await scraped(client)
    assert ("collect_events_total", frozenset({("source", "ios")})) in found
    assert ("collect_refused_total", frozenset({("source", "web"), ("reason", "too_large")})) in found
    assert ("collect_duplicates_total", frozenset()) in found


async def test_what_is_still_to_be_deleted_is_shown(state: WebState, watching: Watching, clock: MovingClock) -> None:
    for user in ("ann", "bob", "cid"):
        forgetting.forget(state.database, user, ["push", "gone"], "op")
    refused, owed, _ = deletions.due(state.database, "push", 3)
    settled = [
        deletions.Settlement(refused, State.REFUSED, reason="400 no"),
        deletions.Settlement(owed, State.DONE),
    ]
    clock.advance(1000)
    deletions.settle(state.database, "push", settled)
    async with watching(state) as client:
        found = await scraped(client)
    pending = [one(found, "deletions_pending", destination="push", state=each) for each in ("owed", "refused")]
    assert pending == [1, 1]
    assert 1000 <= one(found, "deletion_oldest_seconds", destination="push") < 1060
    outcomes = ("done", "refused", "owed")
    assert [one(found, "deletions_total", destination="push", outcome=each) for each in outcomes] == [0, 0, 0]


async def test_what_has_never_happened_is_told_as_such(state: WebState, watching: Watching) -> None:
    async with watching(state) as client:
        found = await scraped(client)
    assert one(found, "definition_freshness_seconds", definition="vip") == float("inf")
    assert one(found, "definition_members", definition="spend") == 0
    assert one(found, "breaker_state", destination="push", state="closed") == 1
    assert one(found, "exchanges_total", destination="push", verdict="unknown") == 0
    assert one(found, "runs_total", definition="vip", status="failed") == 0


async def test_only_what_the_configuration_has_switched_on_is_shown(state: WebState, watching: Watching) -> None:
    for key in ("quiet", "gone"):
        record(state.database, audience(key, "elsewhere"), ["ann"])
    async with watching(state) as client:
        page = (await client.get("/metrics")).text
    gauges = [line for line in page.splitlines() if "_total" not in line]
    assert not [line for line in gauges if "quiet" in line or "gone" in line or "elsewhere" in line]


async def test_no_user_and_no_value_is_ever_shown(state: WebState, watching: Watching) -> None:
    record(state.database, trait(), {"user-4711": "value-4712"})
    (claimed,) = claim(state.database)
    settle(state.database, claimed, Transition.PARK, reason="user-4711: value-4712 is no number")
    destinations.report(state.database, "push", "open", "user-4711 value-4712", "user-4711 value-4712")
    async with watching(state) as client:
        page = (await client.get("/metrics")).text
    assert "user-4711" not in page
    assert "value-4712" not in page


async def test_a_scraper_gets_the_format_it_asks_for(state: WebState, watching: Watching) -> None:
    async with watching(state) as client:
        plain = await client.get("/metrics")
        assert plain.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2"
        other = await client.get("/metrics", headers={"Accept": accept})
        assert other.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        assert {each.name for each in METRICS} <= {family.name for family in parse_openmetrics(other.text)}
        packed = await client.get("/metrics", headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"


async def test_the_store_is_read_once_in_five_seconds_however_many_scrape(
    state: WebState, watching: Watching, clock: MovingClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []

    def measure(database: object) -> measures.Measures:
        asked.append(database)
        return measures.measure(state.database)

    monkeypatch.setattr(metrics, "measure", measure)
    async with watching(state) as client:
        await asyncio.gather(*(client.get("/metrics") for _ in range(20)))
        await client.get("/metrics")
        assert len(asked) == 1
        clock.advance(metrics.KEPT * 20)
        await client.get("/metrics")
        assert len(asked) == 2


async def test_without_the_store_the_daemons_own_numbers_are_shown_and_no_old_ones(
    state: WebState, watching: Watching, clock: MovingClock
) -> None:
    own = {each.full_name for each in METRICS if each.origin is Origin.DAEMON}
    record(state.database, audience(), ["ann"])
    here, away = state.database, connect("postgresql+psycopg://sync:s3cret@127.0.0.1:1/sync")
    said: list[str] = []
    stop = telemetry.listen(lambda name, _: said.append(name))
    async with watching(state) as client:
        await scraped(client)
        clock.advance(600)
        state.database = away
        for _ in range(3):
            found = await scraped(client)
            assert one(found, "store_up") == 0
            names = {PREFIX + name for name, _ in found if PREFIX + name in {each.full_name for each in METRICS}}
            assert names <= own
        state.database = here
        assert one(await scraped(client), "store_up") == 1
    stop()
    assert [name for name in said if name.startswith("metrics.")] == ["metrics.without_store", "metrics.with_store"]


async def test_a_table_that_is_locked_keeps_nobody_waiting(
    postgresql_database: Database, settings: Settings, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = WebState(postgresql_database, settings)
    async with watching(state) as client:
        with monkeypatch.context() as impatient, state.database.write() as connection:
            impatient.setattr(metrics, "PATIENCE", 0.2)
            connection.execute(text("LOCK TABLE slot IN ACCESS EXCLUSIVE MODE"))
            assert one(await scraped(client), "store_up") == 0
            assert (await client.get("/readyz")).status_code == 200
        assert one(await scraped(client), "store_up") == 1


def test_a_statement_that_waits_gives_up(postgresql_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "STATEMENT_MILLISECONDS", 50)
    with postgresql_database.write() as connection:
        connection.execute(text("LOCK TABLE slot IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(StoreUnavailable, match="statement timeout"):
            measures.measure(postgresql_database)


async def test_what_the_daemon_is_is_shown(state: WebState, watching: Watching, clock: MovingClock) -> None:
    async with watching(state) as client:
        found = await scraped(client)
        assert one(found, "configuration_current") == 1
        assert ("ticker_look_age_seconds", frozenset()) not in found
        state.vitals.outdated = True
        state.vitals.looked_at = clock.monotonic()
        state.vitals.up("ticker")
        state.vitals.down("leader", "the store cannot be reached")
        clock.advance(42)
        found = await scraped(client)
    assert one(found, "configuration_current") == 0
    assert [one(found, "service_up", service=each) for each in ("ticker", "leader")] == [1, 0]
    assert 42 <= one(found, "ticker_look_age_seconds") < 102
    assert one(found, "process_start_time_seconds") > 0


async def test_runs_of_this_process_are_counted(
    state: WebState, watching: Watching, sqlite_shop: Shop, clock: MovingClock
) -> None:
    key = f"counted_{state.database.dialect}"
    definition = Definition(audience().kind, key, key, "shop", ("push",), sql="select user_id from answer")
    for members in (["ann", "bob"], ["ann", "cid"]):
        sqlite_shop.answers([(each,) for each in members])
        refresh(state.database, sqlite_shop.source, definition, kind=RunKind.DELTA, as_of=None)
        clock.advance(1)
    sqlite_shop.answers([("ann",), ("ann",)])
    with pytest.raises(DataError, match="more than one row"):
        refresh(state.database, sqlite_shop.source, definition, kind=RunKind.DELTA, as_of=None)
    async with watching(state) as client:
        found = await scraped(client)
    assert one(found, "runs_total", definition=key, status="succeeded") == 2
    assert one(found, "runs_total", definition=key, status="failed") == 1
    assert (one(found, "entered_total", definition=key), one(found, "exited_total", definition=key)) == (3, 1)
    assert 0 < one(found, "run_seconds_total", definition=key) < 60


def test_every_counter_is_counted_somewhere() -> None:
    source = "".join(path.read_text() for path in (Path(__file__).parents[2] / "sync").rglob("*.py"))
    for metric in METRICS:
        if metric.kind is Kind.COUNTER:
            assert f'"{metric.name.removeprefix(PREFIX)}"' in source.replace(Path(catalogue.__file__).read_text(), "")
