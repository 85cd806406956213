"""Which definitions are evaluated for everybody at their next run, and why; when the others are; whose promise was broken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import click

from sync.cli import output
from sync.model.definition import Definition
from sync.model.watermark import EDITED, HELD, NEVER, Extent, Watermark, pending


def documents(
    asked: Sequence[Definition],
    known: Mapping[str, Watermark],
    recorded: Mapping[str, str],
    held: Collection[str],
    now: datetime,
) -> dict[str, dict[str, Any]]:
    """How the next run of each definition reads its source, by key.

    ``known`` is how far it was read, ``recorded`` the fingerprint of what was asked; ``held``: those whose exits are.
    """
    found = {}
    for each in asked:
        mark = known.get(each.key) if each.key in recorded and each.query is not None else None
        why = _why(each, mark, recorded.get(each.key), each.key in held, now)
        found[each.key] = {
            "extent": Extent.INCREMENTAL if why is None else Extent.FULL,
            "why_full": why,
            "full_at": mark.full_at if mark else None,
            "full_due_at": mark.full_at + timedelta(seconds=each.full_refresh) if mark and why is None else None,
            "missed": mark.missed if mark else 0,
            "broken_at": mark.broken_at if mark else None,
        }
    return found


def _why(asked: Definition, mark: Watermark | None, recorded: str | None, held: bool, now: datetime) -> str | None:
    if asked.query is None:
        return f"`{'sql' if asked.sql is not None else 'table'}:` is read whole each time"
    if mark is None:
        return NEVER
    if recorded != asked.fingerprint or not mark.asked:
        return EDITED
    return mark.in_full or (HELD if held else pending(mark, asked.full_refresh, now))


def show(found: Sequence[dict[str, Any]], now: datetime) -> None:
    """What the next run of each definition evaluates; nothing where nothing is defined."""
    output.table(
        "",
        ("definition", "next run reads", "why", "last in full", "next in full"),
        [
            (
                each["key"],
                "everybody" if each["refresh"]["why_full"] else "what changed",
                each["refresh"]["why_full"],
                f"{output.ago(each['refresh']['full_at'], now)} ago" if each["refresh"]["full_at"] else None,
                each["refresh"]["full_due_at"],
            )
            for each in found
        ],
    )
    for each in found:
        if each["refresh"]["broken_at"] is not None:
            click.secho(broken(each["key"], each["refresh"]["missed"]), fg="yellow")


def broken(key: str, missed: int) -> str:
    """What it means that a full run found more than the incremental ones, and what to do."""
    return (
        f"BROKEN {key}: {output.plural(missed, 'user')} had changed although no row said so: rows that it reads were "
        "updated or deleted, or appeared later than `lateness`. It is refreshed in full; when the cause is gone: "
        f"engage-sync audience acknowledge {key}"
    )
