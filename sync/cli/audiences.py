"""``audience list``, ``sql``, ``members``: look at definitions, at the SQL they run, at the snapshot; ``acknowledge``."""

from __future__ import annotations

import csv
import sys
from itertools import islice
from pathlib import Path

import click
import orjson

from sync.cli import output
from sync.cli.options import configured, group_config, opened, reporting
from sync.errors import UsageError
from sync.source.inspection import readable_sql
from sync.store import reports, watermarks


@click.group("audience")
@group_config
def audience() -> None:
    """Audiences and computed traits."""


@audience.command("list")
@reporting
@configured
def list_audiences(as_json: bool, config: Path) -> None:
    """All definitions: what they are, where they come from, where they go."""
    with opened(config) as app, app.database_to_look_at().read() as connection:
        known = reports.definitions(connection)
        rows = [
            {
                "key": each.key,
                "kind": each.kind,
                "name": each.name,
                "source": each.source,
                "destinations": each.destinations,
                "members": known.get(each.key, {}).get("members", 0),
                "enabled": each.enabled,
            }
            for each in app.settings.definitions
        ]
    if as_json:
        output.as_json(rows)
    else:
        output.table(
            "",
            ("key", "kind", "name", "source", "destinations", "members", "enabled"),
            [({**row, "destinations": ", ".join(row["destinations"])}).values() for row in rows],  # type: ignore[misc]
            numbers=("members",),
        )


@audience.command("sql")
@click.argument("name")
@reporting
@configured
def sql(name: str, as_json: bool, config: Path) -> None:
    """The SQL that a definition runs in its source."""
    with opened(config) as app:
        definition = app.settings.definition(name)
        found = readable_sql(app.source(definition.source), definition)
    if as_json:
        output.as_json({"key": definition.key, "source": definition.source, "sql": found})
    else:
        click.echo(found)


@audience.command("members")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1), help="How many; all when left out.")
@click.option("--csv", "as_csv", is_flag=True, help="user_id,value as CSV.")
@reporting
@configured
def members(name: str, limit: int | None, as_csv: bool, as_json: bool, config: Path) -> None:
    """Who is in an audience, or has a value of a trait, as of its last refresh."""
    if as_csv and as_json:
        raise UsageError("give --csv or --json, not both")
    with opened(config) as app:
        definition = app.settings.definition(name)
        with app.database_to_look_at().read() as connection:
            found = reports.members(connection, definition.key, definition.kind.absent, limit)
            if as_csv:
                writer = csv.writer(sys.stdout, lineterminator="\n")
                writer.writerow(("user_id", "value"))
                writer.writerows((user_id, _plain(value)) for user_id, value in found)
            elif as_json:
                while lines := list(islice(found, 1000)):
                    for user_id, value in lines:
                        click.echo(orjson.dumps({"user_id": user_id, "value": orjson.loads(value)}))
            else:
                for user_id, value in found:
                    click.echo(user_id if value == "true" else f"{user_id}\t{_plain(value)}")


@audience.command("acknowledge")
@click.argument("name")
@reporting
@configured
def acknowledge(name: str, as_json: bool, config: Path) -> None:
    """Refresh a query incrementally again, although incremental runs had missed changes: their cause is gone."""
    with opened(config) as app:
        definition = app.settings.definition(name)
        missed = watermarks.acknowledge(app.database(), definition.key)
    if as_json:
        output.as_json({"key": definition.key, "missed": missed})
    elif missed is None:
        click.echo(f"{definition.key}: nothing is to be acknowledged")
    else:
        users = output.plural(missed, "user")
        click.echo(f"{definition.key}: {users} had been missed; from now on it is refreshed by what has changed again")


def _plain(value: str) -> str:
    """Text without its JSON quotes; anything else as the JSON it is."""
    read = orjson.loads(value)
    return read if isinstance(read, str) else value
