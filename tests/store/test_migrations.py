from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from sqlalchemy import CheckConstraint, inspect, text

from sync.errors import SchemaError, StoreError, StoreUnavailable, UsageError
from sync.model.computation import computation_id
from sync.model.definition import Kind
from sync.store import engine
from sync.store.definitions import find
from sync.store.engine import Database
from sync.store.instants import stamp
from sync.store.migrate import migrate, scripts
from sync.store.revision import REVISIONS, check, current, head
from sync.store.schema import metadata
from tests.conftest import Place
from tests.recorder import audience, record


def opened(place: Place) -> Database:
    return engine.connect(place.url, place.schema)


def test_the_revisions_that_are_known_are_alembics() -> None:
    assert [each.revision for each in scripts().walk_revisions()] == list(reversed(REVISIONS))


def test_a_fresh_store_is_brought_to_the_head(place: Place) -> None:
    database = opened(place)
    with pytest.raises(SchemaError, match="run `engage-sync migrate`"):
        check(database)
    assert migrate(database, place.schema) == (None, head())
    check(database)
    database.close()


def test_migrating_again_changes_nothing(place: Place) -> None:
    database = opened(place)
    migrate(database, place.schema)
    assert migrate(database, place.schema) == (head(), head())
    database.close()


def test_two_migrations_at_once_take_turns(place: Place) -> None:
    start = threading.Barrier(2)
    before: list[object] = []

    def work() -> None:
        database = opened(place)
        start.wait()
        before.append(migrate(database, place.schema)[0])
        database.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(str, before)) == sorted(["None", head()])


def test_a_store_of_a_newer_version_is_refused(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'f00d'"))
    with pytest.raises(SchemaError, match="newer version of engage-sync"):
        check(database)
    with pytest.raises(SchemaError, match="newer version of engage-sync"):
        migrate(database)


def test_a_strangers_tables_are_refused_and_left_alone(place: Place, postgresql_url: str) -> None:
    database = opened(place)
    with database.write() as connection:
        if place.schema:
            connection.execute(text(f"CREATE SCHEMA {place.schema}"))
        connection.execute(text("CREATE TABLE run (mine integer)"))
    with pytest.raises(SchemaError, match=r"tables of other origin \(run\)"):
        migrate(database, place.schema)
    with database.read() as connection:
        assert inspect(connection).get_table_names(schema=place.schema) == ["run"]
    database.close()


@pytest.mark.parametrize(
    "made",
    [
        "TABLE event (mine integer)",
        "TABLE event_outcome (mine integer)",
        "VIEW collected_events AS SELECT 1 AS mine",
        "INDEX event_by_name ON project (name)",
        "TABLE event_by_user (mine integer)",
    ],
)
def test_an_upgrade_that_finds_its_new_names_taken_is_refused_and_half_done_nowhere(place: Place, made: str) -> None:
    database = opened(place)
    _migrate_to(database, place, "0003")
    with database.write() as connection:
        connection.execute(text(f"CREATE {made}"))
    with pytest.raises(SchemaError, match=f"other origin that is called '{made.split()[1]}'"):
        migrate(database, place.schema)
    with database.read() as connection:
        assert current(connection) == "0003"
        found = inspect(connection)
        names = {*found.get_table_names(schema=place.schema), *found.get_view_names(schema=place.schema)}
        assert not {"profile", "lane", "hold", "feed"} & names
    with database.write() as connection:
        connection.execute(text(f"DROP {made.split()[0]} {made.split()[1]}"))
    assert migrate(database, place.schema) == ("0003", head())
    database.close()


def test_a_strangers_other_tables_do_not_matter_in_a_schema(postgresql_place: Place) -> None:
    database = opened(postgresql_place)
    with database.write() as connection:
        connection.execute(text(f"CREATE SCHEMA {postgresql_place.schema}"))
        connection.execute(text("CREATE TABLE customers (mine integer)"))
    migrate(database, postgresql_place.schema)
    database.close()


def test_a_strangers_file_is_refused_and_left_as_it_is(sqlite_place: Place) -> None:
    database = opened(sqlite_place)
    with database.write() as connection:
        connection.execute(text("CREATE TABLE customers (mine integer)"))
    with pytest.raises(SchemaError, match=r"tables of other origin \(customers\)"):
        migrate(database)
    with database.read() as connection:
        assert inspect(connection).get_table_names() == ["customers"]
    database.close()


def test_the_tables_of_the_schema_module_are_those_that_migrations_create(database: Database) -> None:
    def ours(_: object, name: str | None, kind: str, reflected: bool, __: object) -> bool:
        # PostgreSQL's generated column is the diff's own business.
        return not (reflected and ((kind == "column" and name == "value_hash") or name == "alembic_version"))

    with database.read() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True, "include_object": ours}
        )
        assert compare_metadata(context, metadata) == []


def test_constraints_have_the_same_names_everywhere(database: Database) -> None:
    with database.read() as connection:
        seen = inspect(connection)
        for table in metadata.sorted_tables:
            found = {each["name"] for each in seen.get_check_constraints(table.name)}
            named = connection.dialect.identifier_preparer.format_constraint
            every = {*table.constraints, *(each for column in table.columns for each in column.constraints)}
            assert found == {named(each) for each in every if isinstance(each, CheckConstraint)}
            # SQLite writes an AUTOINCREMENT key into its column, where no name can stand.
            nameless = database.dialect == "sqlite" and table.dialect_options["sqlite"]["autoincrement"]
            assert nameless or seen.get_pk_constraint(table.name)["name"] == table.primary_key.name


def test_the_number_of_a_run_is_never_given_twice(database: Database) -> None:
    for _ in range(2):
        record(database, audience(), ["ann"])
    with database.write() as connection:
        (newest,) = connection.execute(text("SELECT max(id) FROM run")).one()
        connection.execute(text("DELETE FROM run"))
    record(database, audience(), ["ann"])
    with database.read() as connection:
        assert connection.execute(text("SELECT min(id) FROM run")).scalar_one() > newest


def test_a_store_that_does_not_answer_is_unavailable_and_tells_no_password(tmp_path: object) -> None:
    database = engine.connect("postgresql+psycopg://u:hunter2@127.0.0.1:1/x")
    with pytest.raises(StoreUnavailable) as caught:
        check(database)
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in database.description
    database.close()


def test_a_file_that_is_no_store_is_refused(sqlite_place: Place) -> None:
    with open(sqlite_place.url.removeprefix("sqlite:///"), "w") as file:  # noqa: PTH123
        file.write("this is a text, and long enough to be taken for the header of a database " * 9)
    database = opened(sqlite_place)
    with pytest.raises(StoreError, match="cannot be opened"):
        check(database)
    database.close()


@pytest.mark.parametrize("url", ["sqlite:////nowhere/at/all/store.db", "hunter2"])
def test_a_place_that_cannot_be_is_a_wrong_usage(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        engine.connect(url)
    assert "hunter2" not in str(caught.value)


def test_the_time_is_the_servers_on_postgresql(postgresql_place: Place, postgresql_url: str) -> None:
    database = engine.connect(postgresql_url, postgresql_place.schema)
    with database.read() as connection:
        server = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
        assert (database.now(connection) - server).total_seconds() < 5
    database.close()


def test_a_file_that_somebody_died_over_before_it_had_tables_is_fresh(sqlite_place: Place) -> None:
    database = opened(sqlite_place)
    assert database.is_fresh_file()
    with database.read() as connection:  # makes the file, with no table in it
        connection.execute(text("SELECT 1"))
    assert database.is_fresh_file()
    migrate(database)
    assert not database.is_fresh_file()
    database.close()


def test_an_instant_in_the_first_thousand_years_is_stored_and_read(database: Database) -> None:
    early = datetime(999, 1, 2, 3, 4, 5, tzinfo=UTC)
    record(database, audience(), ["ann"], as_of=early)
    with database.read() as connection:
        known = find(connection, "vip")
    assert known is not None
    assert known.as_of == early


def _migrate_to(database: Database, place: Place, wanted: str) -> None:
    """What an earlier version's ``migrate`` did."""
    directory = scripts()
    config = Config()
    with database.write() as connection:
        if place.schema:
            connection.execute(text(f"CREATE SCHEMA {place.schema}"))
        config.attributes["connection"] = connection
        with EnvironmentContext(config, directory, fn=lambda now, _: directory._upgrade_revs(wanted, now)):  # type: ignore[arg-type, return-value]
            directory.run_env()


def test_a_store_of_the_first_version_is_brought_on_with_an_id_for_every_definition(place: Place) -> None:
    database = opened(place)
    _migrate_to(database, place, "0001")
    with database.write() as connection:
        at = {"at": stamp(datetime(2026, 11, 21, tzinfo=UTC))}
        connection.execute(text("INSERT INTO project (id, name, created_at) VALUES (1, 'shop', :at)"), at)
        for number, kind, key in ((1, "audience", "vip"), (2, "trait", "größe")):
            connection.execute(
                text(
                    "INSERT INTO definition (id, kind, key, name, fingerprint, on_delete, created_at)"
                    " VALUES (:id, :kind, :key, :key, 'f', 'leave', :at)"
                ),
                {**at, "id": number, "kind": kind, "key": key},
            )
    with pytest.raises(SchemaError, match="run `engage-sync migrate`"):
        check(database)
    assert migrate(database, place.schema) == ("0001", head())
    check(database)
    with database.read() as connection:
        ids = [
            connection.execute(text(f"SELECT computation_id FROM definition WHERE id = {n}")).scalar_one()
            for n in (1, 2)
        ]
    # What a new store would give them.
    assert ids == [computation_id("shop", Kind.AUDIENCE, "vip"), computation_id("shop", Kind.TRAIT, "größe")]
    database.close()
