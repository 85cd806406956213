"""What every command takes, and the one way from a configuration file to a working `App`."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from sync import telemetry
from sync.cli.placement import CONFIG, remember_config
from sync.daemon.app import App

Command = TypeVar("Command", bound=Callable[..., Any])

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configured_logging(level: str) -> Callable[[Command], Command]:
    """Adds ``--config``, ``--log-level`` (``level`` unless given) and ``--debug``."""

    def configured(command: Command) -> Command:
        for option in reversed(_options(level)):
            command = option(command)
        return command

    return configured


def _options(level: str) -> tuple[Callable[[Command], Command], ...]:
    return (
        click.option(
            "--config",
            "config",
            type=click.Path(path_type=Path, dir_okay=False),
            default=Path("sync.yaml"),
            envvar="ENGAGE_SYNC_CONFIG",
            show_default=True,
            callback=_nearest,
            help="The configuration file; also $ENGAGE_SYNC_CONFIG.",
        ),
        click.option(
            "--log-level",
            type=click.Choice(list(_LEVELS)),
            default=level,
            show_default=True,
            expose_value=False,
            callback=lambda _, __, value: telemetry.configure(_LEVELS[value]),
            help="Structured events on stderr, as JSON lines, from this level up.",
        ),
        click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error."),
    )


configured = configured_logging("error")
"""For commands: whoever started them is told the rest anyway."""


def group_config(command: Command) -> Command:
    """Lets ``--config`` stand before a subcommand too."""
    path = click.Path(path_type=Path, dir_okay=False)
    return click.option(
        "--config",
        "group_config",
        type=path,
        hidden=True,
        expose_value=False,
        callback=remember_config,
        help="The configuration file.",
    )(command)


def _nearest(ctx: click.Context, option: click.Parameter, value: Path) -> Path:
    """The command's own ``--config``; else the one given before it, on the line; else environment or default."""
    if option.name and ctx.get_parameter_source(option.name) is click.core.ParameterSource.COMMANDLINE:
        remember_config(ctx, option, value)
    return Path(ctx.meta.get(CONFIG, value))


def reporting(command: Command) -> Command:
    """Adds ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")(command)


def at_instant(command: Command) -> Command:
    """Adds ``--as-of``."""
    return click.option(
        "--as-of",
        type=Instant(),
        metavar="TIME",
        help="Evaluate as of this instant: 2026-11-21, or 2026-11-21T10:00:00Z (UTC unless it names a zone).",
    )(command)


class Seconds(click.FloatRange):
    """Seconds from 0 up; NaN, which passes for a number, is none."""

    def __init__(self) -> None:
        super().__init__(min=0)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value!r} is no number of seconds", param, ctx)
        return found


def waiting(command: Command) -> Command:
    """Adds ``--wait``."""
    return click.option(
        "--wait",
        type=Seconds(),
        default=60.0,
        show_default=True,
        metavar="SECONDS",
        help="How long to wait for retries and confirmations once nothing gets through.",
    )(command)


class Instant(click.ParamType[datetime]):
    """A date or an ISO 8601 date and time; UTC where it names no zone, 00:00 where it names no time."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-11-21 or 2026-11-21T10:00:00Z", param, ctx)
        if parsed.tzinfo is None:
            return parsed.replace(tzinfo=UTC)
        try:
            return parsed.astimezone(UTC)
        except OverflowError:
            self.fail(f"{value!r} is before the year 1 or after 9999 in UTC", param, ctx)


@contextmanager
def opened(config: Path) -> Iterator[App]:
    """The app of a configuration file, closed at the end."""
    app = App.load(config, os.environ)
    try:
        yield app
    finally:
        app.close()
