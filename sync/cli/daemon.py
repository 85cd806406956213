"""``daemon``: schedules, deliveries and upkeep, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from sync import __version__
from sync.cli.options import configured_logging
from sync.daemon.app import App
from sync.daemon.daemon import Daemon


@click.command("daemon")
@click.option("--web-listen", metavar="ADDR", help="HOST:PORT for health and metrics, instead of the file's; or off.")
@click.option("--collector-listen", metavar="ADDR", help="HOST:PORT for SDKs and webhooks to post to; or off.")
@configured_logging("info")
def daemon(web_listen: str | None, collector_listen: str | None, config: Path) -> int:
    """Run schedules, take in events and deliver what is owed, until SIGTERM.

    Several daemons on several hosts may share one PostgreSQL store. The first SIGTERM or Ctrl-C ends it in good order,
    a second one at once; SIGHUP reads the configuration anew.
    """
    say(f"engage-sync {__version__}, process {os.getpid()}")
    return asyncio.run(Daemon(lambda: _opened(config, web_listen, collector_listen), say).run())


def _opened(config: Path, web_listen: str | None, collector_listen: str | None) -> App:
    app = App.load(config, os.environ)
    app.settings = app.settings.listening_on(web=web_listen, collector=collector_listen)
    return app


def say(text: str) -> None:
    """One line to whoever started it, if anybody reads it: a daemon works on when nobody does."""
    try:
        click.echo(text)
        sys.stdout.flush()
    except (OSError, ValueError):
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
