"""What many users were sent in one request, as one row of the history: written at once, and read for one user.

A row's ``sent`` is JSON: groups of users who were sent the same, each ``{"sent", "enrichment", "users"}``, with values and
versions as slots have them. Its users lie between ``first_user`` and ``last_user``. Claims go in the order of ids, so that
those of one backfill hardly overlap, and who looks for one user reads few rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from types import ModuleType
from typing import Any

import orjson
from sqlalchemy import Connection, func, insert, select

from sync.store.postgresql import bulks as postgresql_bulks
from sync.store.schema import bulk_attempt
from sync.store.sqlite import bulks as sqlite_bulks
from sync.store.statement import text

ROWS_AT_ONCE = 10
"""Rows fetched at once: each may be some tens of kilobytes."""


def document(groups: Sequence[tuple[Any, Any, Sequence[str]]]) -> str:
    """What is sent to whom, as such a row has it: of groups of who is owed the same, with what goes along."""
    return orjson.dumps(
        [{"sent": _embedded(owed), "enrichment": _embedded(along), "users": users} for owed, along, users in groups]
    ).decode()


def _embedded(json: Any) -> Any:
    """SQLite gives a document within a document as text."""
    return orjson.Fragment(json) if isinstance(json, str) else json


_INSERT = insert(bulk_attempt)


def record(connection: Connection, said: Mapping[str, object], sent: str, without: Collection[str] = ()) -> None:
    """An attempt of all who are in the `document` ``sent``, but for some."""
    groups = orjson.loads(sent)
    if without:
        groups = [{**each, "users": [user for user in each["users"] if user not in without]} for each in groups]
        groups = [each for each in groups if each["users"]]
        sent = orjson.dumps(groups).decode()
    users = [user for each in groups for user in each["users"]]
    if users:
        connection.execute(_INSERT, {**said, "first_user": min(users), "last_user": max(users), "sent": sent})


def of(connection: Connection, user_id: str, most: int) -> list[dict[str, Any]]:
    """A user's newest, newest first, in the columns of `sync.store.schema.attempt`."""
    return list(islice(_all_of(connection, user_id), most))


def _all_of(connection: Connection, user_id: str) -> Iterator[dict[str, Any]]:
    find = func.strpos if connection.dialect.name == "postgresql" else func.instr
    query = (
        select(bulk_attempt)
        .where(bulk_attempt.c.first_user <= user_id, bulk_attempt.c.last_user >= user_id)
        .where(find(bulk_attempt.c.sent, _quoted(user_id)) > 0)
        .order_by(bulk_attempt.c.id.desc())
    )
    with closing(connection.execute(query, execution_options={"yield_per": ROWS_AT_ONCE})) as found:
        for row in found.mappings():
            for group in orjson.loads(row["sent"]):
                if user_id in group["users"]:
                    values = {key: pair[0] for key, pair in group["sent"].items()}
                    yield {**row, "sent": group["enrichment"] | values}


def forget(connection: Connection, user_id: str) -> int:
    """Take a user out of them; gives of how many."""
    sql = _sql(connection)
    alone = connection.execute(text(sql.FORGET_ALONE), {"user_id": user_id}).rowcount
    values = {"user_id": user_id, "quoted": _quoted(user_id)}
    return alone + connection.execute(text(sql.FORGET), values).rowcount


def _quoted(user_id: str) -> str:
    """As it stands in JSON, whoever wrote that."""
    return orjson.dumps(user_id).decode()


def _sql(connection: Connection) -> ModuleType:
    return postgresql_bulks if connection.dialect.name == "postgresql" else sqlite_bulks
