"""The command line. One file per group of commands; each parses, calls, prints.

=============  ==================================================================================
options        what every command takes: --config, --json, --debug; placement: where --config may stand
output         tables, JSON, times and numbers for people
project        init, schema
checking       check, migrate
deltas         plan, delta, backfill
progress       what a delivery shows while it runs
daemon         daemon
status         status, runs; extents: what the next run of each definition reads
parked         parked list, show, redrive, drop; parked_events: the same of events
users          user show, suppress, unsuppress
events         events show, tail; sending: events send; jsonlines: how lines are read
happened       how events and what became of them look
audiences      audience list, members, sql, acknowledge
queries        query eval
sandbox        sandbox
demo           demo
=============  ==================================================================================
"""

from __future__ import annotations

import atexit
import gc
import importlib
import os
import signal
import sys
import threading
import traceback
from contextlib import suppress
from difflib import get_close_matches
from functools import cache
from types import ModuleType
from typing import Any

import click

from sync import __version__
from sync.cli.placement import remember_config
from sync.errors import ConfigurationError, SyncError

_COMMANDS = {
    "init": "project:init",
    "check": "checking:check",
    "migrate": "checking:migrate",
    "plan": "deltas:plan",
    "backfill": "deltas:backfill",
    "delta": "deltas:delta",
    "daemon": "daemon:daemon",
    "status": "status:status",
    "runs": "status:runs",
    "parked": "parked:parked",
    "user": "users:user",
    "audience": "audiences:audience",
    "events": "events:events",
    "preview": "preview:preview",
    "query": "queries:query",
    "schema": "project:schema",
    "sandbox": "sandbox:sandbox",
    "demo": "demo:demo",
}
INTERRUPTED = 130


class LazyGroup(click.Group):
    """Imports a command's module when it is asked for, so that `--help` and small commands start at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(_loaded(f"sync.cli.{module}"), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name == "daemon":
            _ignore_hangups()
        if name not in _COMMANDS and (close := get_close_matches(name, _COMMANDS)):
            raise click.UsageError(f"No such command {name!r}. Did you mean {' or '.join(map(repr, close))}?", ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            raise ReaderGone from None  # before click makes an exit code 1 of it
        return result


def _loaded(module: str) -> ModuleType:
    """Import it; what is loaded stays, so nothing is gained by looking through it for garbage meanwhile, later, or at the end."""
    collecting = gc.isenabled()
    gc.disable()
    atexit.unregister(gc.freeze)
    atexit.register(gc.freeze)
    try:
        return importlib.import_module(module)
    finally:
        _keep()
        if collecting:
            gc.enable()


@cache
def _keep() -> None:
    """Once: whoever runs one command after another in a process has garbage between them."""
    gc.freeze()


def _ignore_hangups() -> None:
    """Until the daemon listens for SIGHUP: it has not read its file yet, and without a handler it would end."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGHUP, signal.SIG_IGN)


class ReaderGone(Exception):
    """Whoever read our output has enough of it (`| head`): nothing is wrong."""


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config",
    "group_config",
    type=click.Path(dir_okay=False),
    hidden=True,
    expose_value=False,
    callback=remember_config,
    help="The configuration file.",
)
@click.version_option(__version__, prog_name="engage-sync")
def cli() -> None:
    """Computed traits and audiences from your SQL database to Pushwoosh: only the users whose answer changed."""


def main(arguments: list[str] | None = None) -> int:
    """Run a command; gives its exit code. Errors are one sentence on stderr, never a traceback (but with --debug)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        result = cli.main(arguments, prog_name="engage-sync", standalone_mode=False)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return 2
    except click.ClickException as error:
        return _misused(error)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped", err=True)
        return INTERRUPTED
    except ReaderGone:
        _discard_output()
        return 0
    except SyncError as error:
        return _explain(error, debug="--debug" in arguments)
    except Exception as error:  # noqa: BLE001 - the last line of defence: a sentence instead of a traceback
        click.echo(f"error: unexpected {type(error).__name__}: run the command with --debug for details", err=True)
        if "--debug" in arguments:
            traceback.print_exc()
        return 1
    return result if isinstance(result, int) else 0


def _misused(error: click.ClickException) -> int:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    click.echo(f"error: {error.format_message()}{hint}", err=True)
    return 2


def _discard_output() -> None:
    """Let what is still buffered go nowhere, or the interpreter would complain at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _explain(error: SyncError, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    problems = error.problems if isinstance(error, ConfigurationError) else (str(error),)
    for problem in problems:
        click.echo(f"error: {problem}", err=True)
    return error.exit_code
