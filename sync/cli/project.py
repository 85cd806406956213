"""Commands about the configuration file itself: ``init`` and ``schema``."""

from __future__ import annotations

import json
import pathlib

import click

from sync.config.editors import json_schema
from sync.config.starter import CONFIGURATION, ENVIRONMENT
from sync.errors import UsageError


@click.command()
@click.argument("directory", metavar="[DIR]", default=".", type=click.Path(path_type=pathlib.Path))
def init(directory: pathlib.Path) -> None:
    """Write a commented sync.yaml and a .env.example into DIR.

    Nothing is overwritten: if either file exists, nothing is written at all.
    """
    files = {directory / "sync.yaml": CONFIGURATION, directory / ".env.example": ENVIRONMENT}
    for path in files:
        if path.exists() or path.is_symlink():
            raise UsageError(f"{path} exists already: remove it, or give another directory")
    for path, content in files.items():
        _write(path, content)
        click.echo(f"wrote {path}")
    click.echo("next: set the variables of .env.example, then run `engage-sync check`")


def _write(path: pathlib.Path, content: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(content)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be written ({error.strerror}): give a directory that can be written"
        ) from error


@click.command()
def schema() -> None:
    """Print the JSON Schema of sync.yaml, for editors."""
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
