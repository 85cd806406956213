"""``preview``: what would be sent for events read from stdin, without sending it; and the two parts of it alone."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

import click

from sync.cli.jsonlines import read_json
from sync.cli.options import configured
from sync.daemon.app import App
from sync.destinations.pushwoosh.encoding import encoded
from sync.destinations.pushwoosh.preview import Configured, InvalidSettings, Preview, refusal
from sync.errors import InvalidEvent, InvalidSubscription, MappingError, SyncError, UsageError
from sync.mapping.compiler import CompiledMapping, compile_mapping
from sync.mapping.trigger import Trigger, compile_trigger

Answer = Callable[[object], dict[str, object]]
"""From one line to its answer; never raises."""

_COMPILED = 256
"""Different triggers or mappings that are kept compiled."""


@click.command("preview")
@click.option("--destination", metavar="NAME", help="Use this destination's settings and mappings.")
@click.option("--op", type=click.Choice(["fql", "map"]), help="Only the trigger, or only the mapping.")
@configured
def preview(destination: str | None, op: str | None, config: Path) -> int:
    """What would be sent? Reads events as JSON lines, prints the requests as JSON lines; sends nothing.

    A line is {"event": {…}} or {"events": [{…}, …]} (one batch); "action", "subscribe", "mapping" and "settings" in it
    override what is configured, and where it has all of them no configuration is needed. With --op fql a line is
    {"subscribe", "events"}, with --op map {"mapping", "event"}.
    """
    if op and destination:
        raise UsageError("--op tries a trigger or a mapping alone: leave --destination out")
    if op:
        return _converse({"fql": _matches, "map": _output}[op], {})
    return _converse(Preview(_fallback(destination, config)).answer, {"requests": [], "skipped": []})


def _converse(answer: Answer, nothing: dict[str, object]) -> int:
    """Answer every line as soon as it is there, ``nothing`` and an error where it cannot be read; gives the exit code."""
    code = 0
    if sys.stdin is None or sys.stdout is None:
        raise UsageError("preview reads from stdin and writes to stdout, and one of them is closed")
    for number, text in enumerate(sys.stdin.buffer, 1):
        if not text.strip():
            continue
        try:
            line = read_json(text)
        except (ValueError, RecursionError):
            why = f"line {number} is not JSON that can be read"
            click.echo(f"error: {why}", err=True)
            code = 2
            answered = encoded({**nothing, "error": {"kind": "invalid_event", "message": why}})
        else:
            answered = _written(answer(line), nothing)
        _write(answered + b"\n")
    return code


def _written(answered: dict[str, object], nothing: dict[str, object]) -> bytes:
    try:
        return encoded(answered)
    except InvalidEvent as error:
        return encoded({**nothing, "error": refusal(error)})


def _write(text: bytes) -> None:
    try:
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(
            f"the answers cannot be written ({error.strerror}): free some space or write elsewhere"
        ) from None


def _fallback(destination: str | None, config: Path) -> Callable[[bool], Configured]:
    """What lines fall back to. Asked for by name, it must load; the file that happens to lie here need not."""
    context = click.get_current_context()
    named = destination or context.get_parameter_source("config") is not click.core.ParameterSource.DEFAULT
    if not named and not config.exists():
        return lambda _: Configured()
    try:
        found = _configured(destination, config)
    except SyncError as error:
        if named:
            raise
        return _unusable(config, str(error).splitlines()[0])
    return lambda _: found


def _unusable(config: Path, why: str) -> Callable[[bool], Configured]:
    @cache
    def fallback(needed: bool) -> Configured:
        if needed:
            raise InvalidSettings(f"{config} cannot be used: {why}")
        click.echo(f"note: {config} cannot be used ({why}); lines with `settings` go through the presets", err=True)
        return Configured()

    return fallback


def _configured(destination: str | None, config: Path) -> Configured:
    app = App.load(config, os.environ)
    if destination is not None:
        app.check_destination(destination)
    names = [destination] if destination else list(app.settings.destinations)
    if len(names) > 1:
        raise UsageError(f"there are several destinations: name one with --destination ({', '.join(names)})")
    if not names:
        return Configured()
    settings = app.settings.destinations[names[0]]
    key = settings.api_key.get_secret_value()
    access = settings.access
    return Configured(
        base_url=settings.base_url,
        api_key=key,
        app_code=settings.app_code,
        mappings=settings.mappings,
        transport=access.transport,
        token=access.token,
    )


def _matches(line: object) -> dict[str, object]:
    try:
        members = _members(line, "subscribe", "events")
        if not isinstance(members["events"], list):
            raise InvalidEvent("`events` must be a list of events")
        if not isinstance(members["subscribe"], str):
            raise InvalidSubscription("the trigger must be text", 1)
        trigger = _trigger(members["subscribe"])
        return {"matches": [trigger(event) for event in members["events"]]}
    except MappingError as error:
        return {"error": refusal(error)}


@lru_cache(_COMPILED)
def _trigger(text: str) -> Trigger:
    return compile_trigger(text, tolerant=True)


def _output(line: object) -> dict[str, object]:
    try:
        members = _members(line, "mapping", "event")
        return {"output": _mapping(encoded(members["mapping"]))(members["event"])}
    except MappingError as error:
        return {"error": refusal(error)}


@lru_cache(_COMPILED)
def _mapping(text: bytes) -> CompiledMapping:
    return compile_mapping(read_json(text))


def _members(line: object, *names: str) -> dict[str, object]:
    if isinstance(line, dict) and all(name in line for name in names):
        return line
    raise InvalidEvent("a line must be an object with " + " and ".join(f"`{name}`" for name in names))
