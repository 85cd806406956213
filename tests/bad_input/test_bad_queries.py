"""A query that does not run, writes, or gives the wrong columns ends in one sentence that says whose it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.bad_input.conftest import MEMBERS, Synced, is_one_sentence

Unchanged = Callable[[Synced], AbstractContextManager[None]]

WRITES = {
    "insert": "insert into answer (user_id) values ('intruder')",
    "insert returning": "insert into answer (user_id) values ('intruder') returning user_id",
    "update": "update answer set user_id = 'intruder'",
    "delete": "delete from answer",
    "drop": "drop table answer",
    "create": "create table intruder as select user_id from answer",
    "two statements": "select user_id from answer; drop table answer",
    "commit first": "commit; drop table answer",
}
ONLY = {
    "sqlite": {
        "attach": "attach database '{folder}/intruder.db' as intruder",
        "vacuum into": "vacuum into '{folder}/intruder.db'",
        "pragma": "pragma user_version = 7",
        "cte": "with x as (select 1) delete from answer",
        "begin": "begin immediate",
    },
    "postgresql": {
        "cte": "with gone as (delete from answer returning user_id) select user_id from gone",
        "copy": "copy answer to '{folder}/intruder.csv'",
        "copy program": "copy (select 1) to program 'touch {folder}/intruder'",
        "truncate": "truncate answer",
        "set": "set transaction read write",
        "for update": "select user_id from answer for update",
    },
}


def _writes() -> list[tuple[str, str]]:
    return [(engine, name) for engine, only in ONLY.items() for name in WRITES | only]


@pytest.mark.parametrize(("synced", "name"), _writes(), indirect=["synced"])
def test_a_query_that_writes_is_refused_and_writes_nothing(
    synced: Synced, unchanged: Unchanged, tmp_path: Path, name: str
) -> None:
    query = (WRITES | ONLY[synced.shop.dialect])[name].replace("{folder}", str(tmp_path))
    synced.asks(query)
    with unchanged(synced):
        for command in ("delta", "plan"):
            is_one_sentence(synced.run(command, "Members"), 2, "audience 'Members'")
    assert not list(tmp_path.glob("intruder*"))
    synced.asks("select user_id from answer order by 1")
    synced.project.done("delta")
    assert synced.run("audience", "members", "Members").out.split() == MEMBERS


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("selct user_id from answer", ("does not run", "selct")),
        ("select user_id from nowhere", ("does not run", "nowhere")),
        ("select customer from answer", ("does not run", "customer")),
        ("select user_id as who from answer", ("no column 'user_id'", "'who'", "AS")),
        ("-- nothing but a comment", ("Members",)),
    ],
    ids=["syntax", "table", "unknown column", "wrong column", "no query"],
)
@pytest.mark.parametrize("command", ["delta", "plan", "check"])
def test_a_query_that_cannot_be_used_is_named_with_what_is_wrong(
    synced: Synced, unchanged: Unchanged, command: str, query: str, words: tuple[str, ...]
) -> None:
    synced.asks(query)
    names = () if command == "check" else ("Members",)
    said = None
    if command == "check":
        said = synced.run(command)
    else:
        with unchanged(synced):
            said = synced.run(command, *names)
    is_one_sentence(said, 2, "audience 'Members'", *words)


def test_a_trait_without_a_value_column_is_refused(synced: Synced, unchanged: Unchanged) -> None:
    synced.project.write(traits=[{"name": "Spend", "sql": "select user_id, value as spent from answer"}])
    with unchanged(synced):
        is_one_sentence(synced.run("delta", "Spend"), 2, "trait 'Spend'", "no column 'value' or 'spend'", "'spent'")
