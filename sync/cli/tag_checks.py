"""Part of ``check``: has Pushwoosh the tags that the definitions need? Without them ``setTags`` drops values in silence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

import orjson

from sync.cli.checked import Checked
from sync.config import wanted_tags
from sync.config.problems import printable
from sync.daemon.app import App
from sync.deliver.outlet import Outlet
from sync.deliver.tags import listed
from sync.destinations.pushwoosh.public.destination import PublicPushwoosh
from sync.destinations.pushwoosh.public.listing import DEFAULT_TAGS, lacking
from sync.destinations.pushwoosh.public.tag_types import Types, advised
from sync.errors import SyncError
from sync.model.definition import Kind
from sync.store import reports

_LOOKED_AT = 200
"""Values of each trait that are looked at."""

_NAMED = 50


def tags(app: App, outlet: Outlet) -> Iterator[Checked]:
    """Compare what is needed at a destination with what it lists; nothing where tags need not be created."""
    destination = outlet.destination
    if not isinstance(destination, PublicPushwoosh):
        return
    configured = app.settings.destinations[destination.name]
    wanted = wanted_tags.wanted(app.settings, configured, destination, _values(app))
    what = f"destination {destination.name}"
    found = asyncio.run(listed(destination, outlet.settings))
    if isinstance(found, str):
        yield Checked(f"{what}: its tags could not be compared with what the definitions need: {found}", verdict="note")
        return
    lack = lacking(wanted, found)
    if not (lack.missing or lack.another_type):
        yield Checked(f"{what}: has the tags that the definitions need")
    yield from _missing(what, lack.missing)
    for name, (has, types) in lack.another_type.items():
        said = (
            f"{what}: tag {printable(name)} has the type {has.title}, and its values need {advised(types)}: "
            "they would be dropped; delete the tag and create it anew, or give the definition another `key`"
        )
        yield Checked(said, said, SyncError.exit_code)


def _missing(what: str, missing: Mapping[str, Types]) -> Iterator[Checked]:
    own = {name: types for name, types in missing.items() if name not in DEFAULT_TAGS}
    if own:
        said = (
            f"{what}: these tags do not exist, create them in the Control Panel: {_list(map(_described, own.items()))}"
        )
        yield Checked(said, verdict="note")
    if defaults := missing.keys() - own.keys():
        said = f"{what}: Pushwoosh's own tags {_list(sorted(defaults))} are not listed: create them if they turn out missing"
        yield Checked(said, verdict="note")


def _described(named: tuple[str, Types]) -> str:
    name, types = named
    return f"{printable(name)} ({advised(types) or 'of the type of its values, of which none is known yet'})"


def _list(names: Iterable[str]) -> str:
    found = list(names)
    more = [f"{len(found) - _NAMED} more"] if len(found) > _NAMED else []
    return ", ".join(found[:_NAMED] + more)


def _values(app: App) -> dict[str, list[object]]:
    """Some values of each trait, as far as a store has them: they tell the type."""
    traits = [each for each in app.settings.definitions if each.kind is Kind.TRAIT and each.enabled]
    try:
        with app.database_to_look_at().read() as connection:
            found = {
                each.key: list(reports.members(connection, each.key, each.kind.absent, _LOOKED_AT)) for each in traits
            }
    except SyncError:
        return {}
    return {key: [orjson.loads(value) for _, value in rows] for key, rows in found.items()}
