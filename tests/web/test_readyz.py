"""``/readyz`` turns when this daemon cannot work, says why, and turns back."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from sync.config import Settings
from sync.store.engine import Database, connect
from sync.web import WebState, readiness
from tests.web.conftest import Watching

READY = (200, {"ready": True, "reasons": []})


async def test_a_store_of_the_right_schema_and_the_newest_configuration_is_ready(
    state: WebState, watching: Watching
) -> None:
    async with watching(state) as client:
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()) == READY


async def test_a_newer_configuration_elsewhere_and_stopping_are_reasons(state: WebState, watching: Watching) -> None:
    async with watching(state) as client:
        state.vitals.outdated = state.vitals.stopping = True
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (503, False)
        first, second = answer.json()["reasons"]
        assert (first[:46], second) == ("another daemon announced a newer configuration", "it is stopping")
        state.vitals.outdated = state.vitals.stopping = False
        assert (await client.get("/readyz")).status_code == 200


async def test_a_schema_that_does_not_fit_is_a_reason_with_the_command_to_run(
    state: WebState, watching: Watching
) -> None:
    async with watching(state) as client:
        with state.database.write() as connection:
            before = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
            connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"][0].startswith("the store's schema is old (0001, wanted")
        with state.database.write() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :it"), {"it": before})
        assert (await client.get("/readyz")).status_code == 200


async def test_a_store_that_is_not_there_is_a_reason(settings: Settings, watching: Watching) -> None:
    nobody = connect("postgresql+psycopg://sync:s3cret@127.0.0.1:1/sync")
    async with watching(WebState(nobody, settings)) as client:
        answer = await client.get("/readyz")
        assert answer.status_code == 503
        assert answer.json()["reasons"][0].startswith("the store cannot be reached (")
        assert "s3cret" not in answer.text
        assert (await client.get("/healthz")).status_code == 200


async def test_a_store_that_hangs_is_a_reason_in_time_for_all_who_ask(
    postgresql_database: Database, settings: Settings, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness, "PATIENCE", 0.2)
    async with watching(WebState(postgresql_database, settings)) as client:
        with postgresql_database.write() as connection:
            connection.execute(text("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE"))
            for _ in range(3):
                answer = await client.get("/readyz")
                assert answer.json()["reasons"] == ["the store did not answer within 0.2 s"]
                assert (await client.get("/healthz")).status_code == 200
        monkeypatch.setattr(readiness, "PATIENCE", 20.0)
        assert (await client.get("/readyz")).status_code == 200
