"""Part of ``status``: users who were forgotten, and whom a destination has still to delete."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import click

from sync.cli import output
from sync.store.deletions import Backlog, Refused

SHOWN = 20
"""Users whose deletion was refused, of all destinations together, who are named: whoever asks again needs the id."""


def documents(
    names: Iterable[str], backlogs: Mapping[str, Backlog], refused: Iterable[Refused]
) -> dict[str, dict[str, Any]]:
    """What each of these destinations has still to delete, for machines."""
    found = {name: _document(backlogs.get(name, Backlog())) for name in names}
    for each in refused:
        if each.destination in found:
            found[each.destination]["refused_users"].append({"user_id": each.user_id, "reason": each.reason})
    return found


def _document(backlog: Backlog) -> dict[str, Any]:
    return {"owed": backlog.owed, "refused": backlog.refused, "oldest": backlog.oldest, "refused_users": []}


def show(name: str, left: Mapping[str, Any], now: datetime) -> None:
    """The same for people; nothing where there is nothing to delete."""
    if left["owed"]:
        users, oldest = output.plural(left["owed"], "user"), output.ago(left["oldest"], now)
        click.echo(
            f"{name}: {users} still to be deleted there, the oldest for {oldest}: a daemon goes on until it is done"
        )
    if left["refused"]:
        said = "mend what it says, then run `engage-sync user forget` for each again"
        click.secho(
            f"UNDELETED {name}: it refuses to delete {output.plural(left['refused'], 'user')}: {said}", fg="yellow"
        )
    for each in left["refused_users"]:
        click.echo(f"  {output.cell(each['user_id'])}: {output.cell(each['reason'])}")
