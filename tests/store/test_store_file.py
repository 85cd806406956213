"""A SQLite store's file that is deleted or replaced under a process is told, and nothing is recorded in it any more."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import URL, Connection, text

from sync.errors import StoreUnavailable
from sync.store.engine import Database, connect
from sync.store.migrate import migrate
from tests.conftest import Place


@pytest.fixture
def file(sqlite_place: Place) -> Path:
    return Path(sqlite_place.url.removeprefix("sqlite:///"))


@pytest.fixture
def store(sqlite_place: Place) -> Iterator[Database]:
    """A store that this process has open."""
    database = connect(sqlite_place.url)
    migrate(database)
    yield database
    database.close()


def announce(connection: Connection) -> None:
    connection.execute(
        text("INSERT INTO configuration (fingerprint, announced_at, holder) VALUES ('f', '2026-01-01', 'h')")
    )


def announced(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (found,) = connection.execute("SELECT count(*) FROM configuration").fetchone()
    assert isinstance(found, int)
    return found


def test_a_deleted_file_is_gone_for_whoever_reads_and_is_not_made_anew(store: Database, file: Path) -> None:
    file.unlink()
    for _ in range(3):
        with (
            pytest.raises(StoreUnavailable, match=r"^the store's file is gone: .*store.db was deleted or moved"),
            store.read(),
        ):
            pass
    assert not file.exists()


def test_what_was_under_way_is_not_recorded_in_a_deleted_file(store: Database, file: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept.db"
    kept.hardlink_to(file)

    def announce_while_it_is_deleted() -> None:
        with store.write() as connection:
            announce(connection)
            file.unlink()

    with pytest.raises(StoreUnavailable, match="the store's file is gone"):
        announce_while_it_is_deleted()
    store.close()
    for log in tmp_path.glob("store.db-*"):
        log.rename(f"{kept}{log.name.removeprefix(file.name)}")
    assert announced(kept) == 0


def test_a_file_that_was_replaced_is_left_alone(store: Database, file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    copy.rename(file)
    with pytest.raises(StoreUnavailable, match="was replaced by another one"), store.write() as writing:
        announce(writing)
    assert announced(Path(shutil.copy(file, tmp_path / "look.db"))) == 0


def test_once_gone_it_stays_so_whatever_comes_in_its_place(store: Database, file: Path) -> None:
    file.unlink()
    with pytest.raises(StoreUnavailable, match="deleted"), store.read():
        pass
    file.touch()  # may well get the number of the one before
    with pytest.raises(StoreUnavailable, match="deleted"), store.read():
        pass
    assert file.stat().st_size == 0


def test_a_store_that_this_process_has_open_elsewhere_is_not_a_new_one(store: Database, file: Path) -> None:
    file.unlink()
    again = connect(f"sqlite:///{file}")
    with pytest.raises(StoreUnavailable, match="the store's file is gone"):
        again.is_fresh_file()
    store.close()
    assert again.is_fresh_file()
    assert not file.exists()


@pytest.mark.parametrize("name", ["what?.db", "100%25.db", "a#b.db", "ö ß.db"])
def test_a_file_may_be_called_anything(tmp_path: Path, name: str) -> None:
    url = URL.create("sqlite", database=str(tmp_path / name)).render_as_string()
    with closing(connect(url)) as database:
        migrate(database)
        with database.read() as connection:
            connection.execute(text("SELECT 1 FROM configuration"))
    made = {each.name for each in tmp_path.iterdir()}
    assert made == {name}
