"""A source or a store that is away, full, foreign or of another version: one sentence, and nothing has changed."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Engine, event

from sync.store import revision
from tests.bad_input.conftest import MEMBERS, Synced, definitions, is_one_sentence
from tests.command import serving
from tests.conftest import Place

Unchanged = Callable[[Synced], AbstractContextManager[None]]

NOBODY_LISTENS = "postgresql://shop:secret@127.0.0.1:1/shop"


def owner_runs(place: Place, statement: str) -> None:
    """Run a statement on a store, behind the program's back."""
    if place.url.startswith("sqlite"):
        with closing(sqlite3.connect(path_of(place), isolation_level=None)) as connection:
            connection.execute(statement)
    else:
        with psycopg.connect(place.url, options=f"-c search_path={place.schema}") as other:
            other.execute(statement)  # type: ignore[call-overload]


def path_of(place: Place) -> Path:
    return Path(place.url.removeprefix("sqlite:///"))


@pytest.mark.parametrize("command", ["delta", "backfill", "plan"])
@pytest.mark.parametrize("url", [NOBODY_LISTENS, "sqlite:///{folder}/missing.db", "sqlite:///{folder}"])
def test_a_source_that_is_away_is_worth_another_try(
    synced: Synced, unchanged: Unchanged, tmp_path: Path, url: str, command: str
) -> None:
    synced.project.write(sources={"shop": {"url": url.replace("{folder}", str(tmp_path))}})
    with unchanged(synced):
        is_one_sentence(synced.run(command, "Members"), 1, "source 'shop' cannot be reached", "sources.shop.url")
    assert not (tmp_path / "missing.db").exists()
    assert synced.run("check").code == 1


def test_a_source_that_is_no_database_is_said_so(synced: Synced, unchanged: Unchanged, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a database at all " * 100)
    synced.project.write(sources={"shop": {"url": f"sqlite:///{tmp_path}/notes.txt"}})
    with unchanged(synced):
        is_one_sentence(synced.run("delta", "Members"), 1, "source 'shop'", "not a database")


@pytest.mark.parametrize("command", ["delta", "plan", "status", "migrate"])
def test_a_store_from_a_newer_version_is_left_alone(synced: Synced, unchanged: Unchanged, command: str) -> None:
    owner_runs(synced.place, "UPDATE alembic_version SET version_num = '9999'")
    with unchanged(synced):
        is_one_sentence(synced.run(command), 2, "newer version", "9999", "upgrade engage-sync")


@pytest.mark.parametrize("command", ["delta", "plan", "status"])
def test_an_old_store_names_the_command_to_run(
    synced: Synced, unchanged: Unchanged, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setattr(revision, "head", lambda: "9999")  # as if this version had a later revision
    with unchanged(synced):
        is_one_sentence(synced.run(command), 2, "schema is old", "engage-sync migrate")


@pytest.mark.parametrize("command", ["delta", "plan", "status"])
def test_a_postgresql_store_without_tables_names_the_command_to_run(
    postgresql_place: Place, tmp_path: Path, command: str
) -> None:
    store = {"url": postgresql_place.url, "schema": postgresql_place.schema}
    with serving(tmp_path, store, f"sqlite:///{tmp_path}/shop.db", **definitions()) as project:
        is_one_sentence(project(command), 2, "no tables yet", "engage-sync migrate")


@pytest.mark.parametrize("command", ["delta", "plan", "status", "check"])
def test_a_store_of_another_project_is_left_alone(synced: Synced, unchanged: Unchanged, command: str) -> None:
    synced.project.write(project="other")
    requests = synced.project.sandbox.requests
    said = synced.run(command)
    is_one_sentence(said, 2, "belongs to project 'shop'", "'other'", "project:")
    assert synced.project.sandbox.requests - requests == (1 if command == "check" else 0)  # the ping


@pytest.mark.parametrize("command", ["delta", "plan"])
def test_a_key_stays_with_the_kind_that_used_it(synced: Synced, unchanged: Unchanged, command: str) -> None:
    synced.project.write(traits=[{"name": "Members", "sql": "select user_id, 1 as value from answer"}], audiences=None)
    with unchanged(synced):
        is_one_sentence(synced.run(command, "Members"), 2, "key 'members'", "audience 'Members'", "`key:`")


@pytest.mark.parametrize(
    ("store", "words"),
    [
        ("sqlite:///{folder}/no/such/folder/store.db", ("folder", "does not exist", "create it")),
        ("sqlite:///{folder}", ("store", "cannot be opened")),
        ("sqlite:///{folder}/garbage", ("store", "not a database")),
        ("sqlite:///{folder}/strange.db", ("no tables yet", "engage-sync migrate")),
    ],
)
def test_a_store_that_cannot_be_one_is_refused(tmp_path: Path, store: str, words: tuple[str, ...]) -> None:
    (tmp_path / "garbage").write_text("not a database at all " * 100)
    with closing(sqlite3.connect(tmp_path / "strange.db")) as connection, connection:
        connection.execute("CREATE TABLE run (mine text)")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    url = store.replace("{folder}", str(tmp_path))
    with serving(tmp_path, url, f"sqlite:///{tmp_path}/shop.db", **definitions()) as project:
        for command in ("delta", "plan", "status"):
            is_one_sentence(project(command), 2, *words)
        assert project.sandbox.requests == 0
    assert {path: path.read_bytes() for path in before} == before


def test_tables_of_somebody_else_are_never_built_upon(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "strange.db")) as connection, connection:
        connection.execute("CREATE TABLE run (mine text)")
    with serving(tmp_path, f"sqlite:///{tmp_path}/strange.db", "sqlite:///x", **definitions()) as project:
        is_one_sentence(project("migrate"), 2, "tables of other origin", "run")


def test_a_postgresql_store_that_is_away_is_worth_another_try(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as connection, connection:
        connection.execute("CREATE TABLE answer (user_id text, value text)")
    with serving(tmp_path, NOBODY_LISTENS, f"sqlite:///{tmp_path}/shop.db", **definitions()) as project:
        for command in ("delta", "plan", "status", "migrate", "check"):
            said = project(command)
            is_one_sentence(said, 1, "store cannot be reached")
            assert "secret" not in said.err


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Until the end of the block, a SQLite file cannot grow."""
    pages = path.stat().st_size // 4096

    def limit(connection: object, _: object) -> None:
        if isinstance(connection, sqlite3.Connection):
            opened = connection.execute("PRAGMA database_list").fetchone()[2]
            if opened == str(path):
                connection.execute(f"PRAGMA max_page_count = {pages}").close()

    event.listen(Engine, "connect", limit)
    yield
    event.remove(Engine, "connect", limit)


@pytest.mark.parametrize("synced", ["sqlite"], indirect=True)
def test_a_full_disk_records_nothing_and_a_later_run_makes_it_good(synced: Synced, unchanged: Unchanged) -> None:
    newcomers = [f"newcomer-{number:04}-{'x' * 200}" for number in range(500)]
    synced.shop.members(*MEMBERS, *newcomers)
    owner_runs(synced.place, "VACUUM")
    with unchanged(synced), full_disk(path_of(synced.place)):
        is_one_sentence(synced.run("delta", "Members"), 1, "store is full", "nothing was recorded")
    synced.project.done("delta", "Members")
    assert synced.project.sandbox.user_count == len(MEMBERS) + len(newcomers)


@pytest.mark.parametrize("synced", ["sqlite"], indirect=True)
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="rights do not bind the superuser")
def test_a_store_that_may_not_be_written_is_said_so(synced: Synced, unchanged: Unchanged) -> None:
    path = path_of(synced.place)
    path.chmod(0o400)
    with unchanged(synced):
        is_one_sentence(synced.run("delta", "Members"), 2, "store cannot be written")


@pytest.mark.parametrize("synced", ["postgresql"], indirect=True)
def test_a_server_that_takes_no_writes_is_said_so(synced: Synced, unchanged: Unchanged) -> None:
    url = f"{synced.place.url}&options=-c%20default_transaction_read_only%3Don"
    synced.project.write(store={"url": url, "schema": synced.place.schema})
    with unchanged(synced):
        is_one_sentence(synced.run("delta", "Members"), 1, "takes no writes now")
