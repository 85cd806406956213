"""``query eval``: what a query says of given profiles and events, without a source and without a store."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import orjson

from sync.cli.jsonlines import read_json
from sync.cli.options import configured, group_config
from sync.clock import SystemClock
from sync.daemon.app import App
from sync.errors import InvalidQuery, SourceError, SyncError, UsageError
from sync.language import parse
from sync.language.references import expand
from sync.language.tree import Query
from sync.model.definition import Kind
from sync.model.received import instant
from sync.source.scratch import MEMORY, Scratch, scratch

_OWN = ""
"""The key of the query itself: no other definition has it."""


class _WrongLine(SyncError):
    """A line is not what it should be."""


@click.group("query")
@group_config
def query() -> None:
    """Queries in Segment's language."""


@query.command("eval")
@click.option(
    "--engine",
    type=click.Choice(["sqlite", "postgresql"]),
    default="sqlite",
    show_default=True,
    help="Where to run it: in memory, or in temporary tables of the configured store.",
)
@configured
def evaluate(engine: str, config: Path) -> int:
    """What does a query say? Reads JSON lines, prints members or values as JSON lines.

    A line is {"query", "profiles": [{"user_id", "traits"}], "events": [Segment events], "as_of"}; "definitions" may have
    other queries by key, for trait('key'). The SQL is the one that a refresh would run.
    """
    if sys.stdin is None or sys.stdout is None:
        raise UsageError("query eval reads from stdin and writes to stdout, and one of them is closed")
    code = 0
    with _database(engine, config) as database:
        for text in sys.stdin.buffer:
            if text.strip():
                answered = _answer(text, database)
                code = max(code, 1 if "error" in answered else 0)
                sys.stdout.buffer.write(orjson.dumps(answered) + b"\n")
                sys.stdout.buffer.flush()
    return code


def _database(engine: str, config: Path) -> AbstractContextManager[Scratch]:
    if engine == "sqlite":
        return scratch(MEMORY)
    url = App.load(config, os.environ).settings.store.url.get_secret_value()
    if not url.startswith("postgresql"):
        raise UsageError(f"the store of {config} is not on PostgreSQL: leave --engine out, or configure one that is")
    return scratch(url)


def _answer(text: bytes, database: Scratch) -> dict[str, Any]:
    try:
        line = _line(text)
        asked = _query(line)
        database.load(line.get("profiles", []), line.get("events", []))
        return database.answer(asked, _as_of(line))
    except InvalidQuery as error:
        return {"error": {"message": error.sentence, "line": error.line, "column": error.column}}
    except (_WrongLine, SourceError) as error:
        return {"error": {"message": str(error), "line": None, "column": None}}


def _line(text: bytes) -> dict[str, Any]:
    try:
        line = read_json(text)
    except (ValueError, RecursionError):
        raise _WrongLine("the line is not JSON that can be read") from None
    if not isinstance(line, dict) or not isinstance(line.get("query"), str):
        raise _WrongLine("a line must be an object with `query`, a text")
    for name in ("profiles", "events"):
        found = line.get(name, [])
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise _WrongLine(f"`{name}` must be a list of objects")
    return line


def _query(line: dict[str, Any]) -> Query:
    """The query, with the others that it refers to in place."""
    others = line.get("definitions", {})
    if not isinstance(others, dict) or not all(isinstance(each, str) for each in others.values()):
        raise _WrongLine("`definitions` must be an object of queries by key")
    queries = {key: _parsed(text) for key, text in others.items()}
    return expand(_OWN, {**queries, _OWN: _parsed(line["query"])})


def _parsed(text: str) -> Query:
    """As an audience, else as a trait. Of what is neither, the fault is told that comes later: the other is no fault
    of what was meant."""
    try:
        return parse(text, Kind.AUDIENCE)
    except InvalidQuery as of_an_audience:
        try:
            return parse(text, Kind.TRAIT)
        except InvalidQuery as of_a_trait:
            raise max(of_an_audience, of_a_trait, key=lambda error: (error.line, error.column)) from None


def _as_of(line: dict[str, Any]) -> datetime:
    if line.get("as_of") is None:
        return SystemClock().now()
    found = instant(line["as_of"])
    if found is None:
        raise _WrongLine("`as_of` must be a date: 2026-11-21, or 2026-11-21T10:00:00Z")
    return found
