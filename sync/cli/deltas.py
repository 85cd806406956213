"""``plan``, ``delta``, ``backfill``: look, then send."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from sync.cli import extents, output
from sync.cli.options import at_instant, configured, opened, reporting, waiting
from sync.cli.progress import progress
from sync.daemon.app import App
from sync.daemon.cycle import Cycle, Order, destinations_of, make_plan, notes, run_deliveries, run_refreshes
from sync.deliver.delivered import Delivered
from sync.model.run import Counts, RunKind
from sync.refresh.plan import Plan, Planned
from sync.refresh.run import Refreshed
from sync.store import slots
from sync.store.recorded import Sample

_COUNTS = ("members", "entered", "exited", "changed", "unchanged", "held")


@click.command("plan")
@click.argument("names", nargs=-1)
@at_instant
@click.option("--force", is_flag=True, help="Plan as `delta --force` would do it.")
@click.option("--full", is_flag=True, help="Plan as `delta --full` would do it.")
@reporting
@configured
def plan(names: tuple[str, ...], as_of: datetime | None, force: bool, full: bool, as_json: bool, config: Path) -> int:
    """Show what a sync would send; write nothing, send nothing."""
    with opened(config) as app:
        order = Order(app.select(names), as_of=as_of, forced=force, everything=not names, full=full)
        made = make_plan(app, order)
        if as_json:
            output.as_json(_plan_document(made, notes(app, order)))
        else:
            _print_plan(made)
            _print_unheard(app, order)
    for _, error in made.failed:
        click.echo(f"error: {error}", err=True)
    return max((error.exit_code for _, error in made.failed), default=0)


@click.command("delta")
@click.argument("names", nargs=-1)
@at_instant
@click.option(
    "--force", is_flag=True, help="Apply held exits, up to the number that was shown; allow an earlier --as-of."
)
@click.option("--full", is_flag=True, help="Evaluate queries for everybody, and not only where something has changed.")
@click.option("--no-deliver", is_flag=True, help="Leave what is owed in the outbox.")
@waiting
@reporting
@configured
def delta(
    names: tuple[str, ...],
    as_of: datetime | None,
    force: bool,
    full: bool,
    no_deliver: bool,
    wait: float,
    as_json: bool,
    config: Path,
) -> int:
    """Refresh the named definitions (else all) and deliver everything owed to their destinations."""
    with opened(config) as app:
        order = Order(app.select(names), as_of=as_of, forced=force, everything=not names, full=full)
        return _carry_out(app, order, deliver=not no_deliver, wait=wait, as_json=as_json)


@click.command("backfill")
@click.argument("names", nargs=-1)
@click.option("--destination", metavar="NAME", help="Only this destination.")
@at_instant
@click.option(
    "--force", is_flag=True, help="Apply held exits, up to the number that was shown; allow an earlier --as-of."
)
@waiting
@reporting
@configured
def backfill(
    names: tuple[str, ...],
    destination: str | None,
    as_of: datetime | None,
    force: bool,
    wait: float,
    as_json: bool,
    config: Path,
) -> int:
    """A delta, and with it every current member and value, each user once. An unfinished one is resumed."""
    with opened(config) as app:
        if destination is not None:
            app.check_destination(destination)
        order = Order(
            app.select(names),
            kind=RunKind.BACKFILL,
            as_of=as_of,
            forced=force,
            destinations=None if destination is None else [destination],
            everything=not names,
        )
        return _carry_out(app, order, deliver=True, wait=wait, as_json=as_json)


def _carry_out(app: App, order: Order, *, deliver: bool, wait: float, as_json: bool) -> int:
    cycle = run_refreshes(app, order)
    if not as_json:
        _print_refreshes(cycle)
        _print_unheard(app, order)
    for _, error in cycle.failed:
        click.echo(f"error: {error}", err=True)
    if deliver:
        names = destinations_of(app, order)
        with progress({} if as_json else _owed(app, names), quiet=as_json) as on_progress:
            cycle.delivered = run_deliveries(app, names, patience=wait, on_progress=on_progress)
    if as_json:
        output.as_json(_cycle_document(cycle, notes(app, order)))
    elif deliver:
        for done in cycle.delivered:
            print_delivered(done)
    else:
        click.echo("Nothing was sent (--no-deliver): the next delta delivers what is owed.")
    return cycle.exit_code


def _owed(app: App, names: Sequence[str]) -> dict[str, int]:
    with app.database().read() as connection:
        return {name: slots.owed(connection, name) for name in names}


def _print_refreshes(cycle: Cycle) -> None:
    _print_counts([(each.definition.key, each.definition.kind, each.counts) for each in cycle.refreshed])
    for each in cycle.refreshed:
        _print_notes(each)
    for removed in cycle.removed:
        click.echo(f"{removed.kind} {removed.key}: removed, {_clearing(removed.cleared)}")


def _print_unheard(app: App, order: Order) -> None:
    for each in notes(app, order):
        click.secho(f"note: {each}", fg="yellow")


def _print_notes(each: Refreshed) -> None:
    if each.joined:
        click.echo(f"{each.definition.key}: new at {', '.join(each.joined)}: all its members are sent there")
    if each.resumed:
        click.echo(f"{each.definition.key}: the backfill at {', '.join(each.resumed)} is unfinished and is resumed")
    if each.missed:
        click.secho(extents.broken(each.definition.key, each.missed), fg="yellow")
    if each.hold is not None:
        click.secho(
            f"HELD {each.definition.key}: {output.plural(each.counts.held, 'exit')} held, because {each.hold.value}. "
            f"If it is right: engage-sync delta {each.definition.key} --force",
            fg="yellow",
        )


def print_delivered(done: Delivered) -> None:
    """One sentence on what became of a destination's users, and one on what is left."""
    parts = [_who_was_sent(done)]
    if done.unconfirmed:
        parts.append(f"{output.number(done.unconfirmed)} of them sent again to make sure")
    if done.filtered:
        parts.append(f"{output.plural(done.filtered, 'event')} filtered out by the mappings")
    if done.deferred:
        parts.append(f"{output.plural(done.deferred, 'try')} deferred")
    if done.parked:
        parts.append(f"{output.number(done.parked)} parked (engage-sync parked list)")
    if done.owed_anew:
        parts.append(f"{output.number(done.owed_anew)} owed anew")
    click.echo(f"{done.destination}: {', '.join(parts)}")
    for warning in done.warnings:
        click.secho(f"{done.destination}: {warning}", fg="yellow")
    left = done.backlog.owed if done.backlog else 0
    if left:
        why = f": {done.stopped}" if done.stopped else ""
        mend = ". Nobody is parked; mend it (engage-sync check tells more) and run delta again" if done.fault else ""
        click.secho(f"{done.destination}: {output.plural(left, 'user')} still owed{why}{mend}", fg="yellow")


def _who_was_sent(done: Delivered) -> str:
    by_others = f"delivered by {done.elsewhere}"
    if done.users or not done.elsewhere:
        also = f", {output.number(done.by_others)} {by_others}" if done.by_others else ""
        return f"{output.plural(done.users, 'user')} sent{also}"
    if done.by_others or done.parked or (done.backlog and done.backlog.owed):
        return f"{output.plural(done.by_others, 'user')} {by_others}"
    return f"nothing is owed any more, {done.elsewhere} delivers"


def _print_plan(made: Plan) -> None:
    if not (made.definitions or made.failed):
        click.echo("nothing is defined: add audiences and traits to the configuration")
    _print_counts([(each.definition.key, each.definition.kind, each.counts) for each in made.definitions])
    for each in made.definitions:
        _print_planned(each)
    for removed in made.removed:
        click.echo(f"{removed.kind} {removed.key}: left the file, {_clearing(removed.cleared)}")
    output.table(
        "for example",
        ("definition", "user", "before", "after"),
        [
            (each.definition.key, sample.user_id, sample.before, sample.after or each.definition.kind.absent)
            for each in made.definitions
            for sample in _few(each.samples)
        ],
    )
    for destination, users in made.users.items():
        before = made.owed[destination]
        owed = f", {output.number(before)} of them owed already" if before else ""
        click.secho(f"{destination}: {output.plural(users, 'user')} would be sent{owed}", bold=True)
        if unheard := made.unheard[destination]:
            click.echo(f"{destination}: {output.plural(unheard, 'user')} would not: no mapping takes what changed")


def _print_planned(each: Planned) -> None:
    if each.joined:
        click.echo(f"{each.definition.key}: new at {', '.join(each.joined)}: all its members would be sent there")
    if each.hold is not None:
        click.secho(
            f"{each.definition.key}: {output.plural(each.counts.held, 'exit')} would be HELD, because {each.hold.value}",
            fg="yellow",
        )


def _few(samples: Sequence[Sample]) -> list[Sample]:
    """Two of each direction are enough for people."""
    directions: dict[tuple[bool, bool], list[Sample]] = {}
    for sample in samples:
        directions.setdefault((sample.before is None, sample.after is None), []).append(sample)
    return [sample for alike in directions.values() for sample in alike[:2]]


def _print_counts(rows: Sequence[tuple[str, str, Counts]]) -> None:
    output.table(
        "",
        ("definition", "kind", *_COUNTS),
        [(key, kind, *(getattr(counts, name) for name in _COUNTS)) for key, kind, counts in rows],
        numbers=_COUNTS,
    )


def _clearing(cleared: int) -> str:
    return f"{output.plural(cleared, 'user')} cleared" if cleared else "values are left at the destinations"


def _counts(counts: Counts) -> dict[str, int]:
    return {name: getattr(counts, name) for name in _COUNTS}


def _plan_document(made: Plan, told: list[str]) -> dict[str, Any]:
    return {
        "definitions": [
            {
                "key": each.definition.key,
                "kind": each.definition.kind,
                **_counts(each.counts),
                "hold": each.hold,
                "joined": each.joined,
                "full": each.full,
                "sample": each.samples,
            }
            for each in made.definitions
        ],
        "failed": [{"key": key, "error": str(error)} for key, error in made.failed],
        "removed": made.removed,
        "destinations": [
            {"name": name, "users": users, "filtered": made.unheard[name], "already_owed": made.owed[name]}
            for name, users in made.users.items()
        ],
        "notes": told,
    }


def _cycle_document(cycle: Cycle, told: list[str]) -> dict[str, Any]:
    return {
        "runs": [
            {
                "run": each.run_id,
                "key": each.definition.key,
                "kind": each.definition.kind,
                "status": each.status,
                **_counts(each.counts),
                "hold": each.hold,
                "joined": each.joined,
                "resumed": each.resumed,
                "full": each.full,
                "candidates": each.candidates,
                "missed": each.missed,
            }
            for each in cycle.refreshed
        ],
        "failed": [{"key": key, "error": str(error)} for key, error in cycle.failed],
        "removed": cycle.removed,
        "delivered": [delivered_document(done) for done in cycle.delivered],
        "notes": told,
        "exit_code": cycle.exit_code,
    }


def delivered_document(done: Delivered) -> dict[str, Any]:
    """What a delivery did, for machines."""
    return {
        "destination": done.destination,
        "users": done.users,
        "accepted": done.accepted,
        "filtered": done.filtered,
        "deferred": done.deferred,
        "refused": done.refused,
        "parked": done.parked,
        "owed_anew": done.owed_anew,
        "by_verdict": done.by_verdict,
        "still_owed": done.backlog.owed if done.backlog else None,
        "stopped": done.stopped or None,
        "delivered_by": done.elsewhere or None,
        "by_others": done.by_others,
        "warnings": done.warnings,
    }
