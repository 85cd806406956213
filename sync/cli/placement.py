"""``--config`` may stand before a command, before a subcommand, or after it: what was said last is what counts."""

from __future__ import annotations

import click

CONFIG = "engage-sync.config"
"""Where a context and those below it keep the file that was named on the line."""


def remember_config(ctx: click.Context, _: click.Parameter, value: object) -> None:
    """An option's callback: keep what was given for the commands further right."""
    if value is not None:
        ctx.meta[CONFIG] = value
