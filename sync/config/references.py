"""What must hold between the parts of the document: keys, references, chains of ``after``, dependent numbers.

Works on the plain data and not on the models, so that these problems are found although others exist: whatever has the
wrong type is passed over here, the models have reported it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sync.config import durations
from sync.config.destinations import LimitsSection
from sync.config.fields import is_postgresql
from sync.config.problems import Path, Problems, did_you_mean, listed
from sync.config.questions import ScheduleSection
from sync.config.schema import StoreSection
from sync.model.definition import Kind
from sync.model.delivery import LEASE_MARGIN
from sync.model.feed import COLLECTOR
from sync.model.naming import FIELDS_FROM_TRAITS, LONGEST_KEY, RESERVED_KEYS, snake_case

RESERVED_SOURCES = frozenset({COLLECTOR})
"""Names of sources that exist by themselves."""

QUESTIONS = {Kind.AUDIENCE: ("query", "sql", "table"), Kind.TRAIT: ("query", "sql")}
"""The keys of which a definition has exactly one."""

_KEY = re.compile(r"[a-z0-9_]+")
_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_UNRESERVED = "rename it, or give another `key:`"

Mapping = dict[str, object]


@dataclass(frozen=True, slots=True)
class Draft:
    """A definition as it stands in the document, right or wrong. ``key`` is empty when it has none that can be used."""

    path: Path
    kind: Kind
    raw: Mapping
    name: str
    key: str


def check(document: Mapping, problems: Problems) -> None:
    """Report everything that does not fit together."""
    found = list(drafts(document, problems))
    _check_store(document, problems)
    _check_sources(document, found, problems)
    _check_feeds(document, problems)
    _check_destinations(document, found, problems)
    _check_limits(document, problems)
    _check_keys(found, problems)
    _check_questions(found, problems)
    _check_enrichment(found, problems)
    _check_after(document, found, problems)


def mapping(value: object) -> Mapping:
    """``value`` if it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def drafts(document: Mapping, problems: Problems) -> Iterator[Draft]:
    """Every definition that is a mapping at all, audiences first."""
    for section, kind in (("audiences", Kind.AUDIENCE), ("traits", Kind.TRAIT)):
        items = document.get(section)
        for index, raw in enumerate(items if isinstance(items, list) else []):
            if isinstance(raw, dict):
                path = (section, index)
                name = raw.get("name")
                name = name.strip() if isinstance(name, str) and not problems.is_unresolved((*path, "name")) else ""
                yield Draft(path, kind, raw, name, _key(raw, name, path, problems))


def _key(raw: Mapping, name: str, path: Path, problems: Problems) -> str:
    key = raw.get("key")
    if key is None:
        return snake_case(name)
    usable = isinstance(key, str) and _KEY.fullmatch(key) and not problems.is_unresolved((*path, "key"))
    return str(key) if usable else ""


def _check_store(document: Mapping, problems: Problems) -> None:
    store = mapping(document.get("store"))
    schema = store.get("schema")
    if schema is None:
        return
    if isinstance(schema, str) and not _IDENTIFIER.fullmatch(schema):
        problems.add(("store", "schema"), "must be of small letters, digits and `_`, at most 63, with no digit first")
    try:
        url = StoreSection.model_validate({"url": store.get("url")}).url
    except ValueError:
        return  # already reported
    if not is_postgresql(url) and not problems.is_unresolved(("store", "url")):
        problems.add(("store", "schema"), "goes with a PostgreSQL store only: remove it, or give a postgresql:// url")


def _check_sources(document: Mapping, drafts: list[Draft], problems: Problems) -> None:
    sources = document.get("sources")
    for name in RESERVED_SOURCES.intersection(mapping(sources)):
        problems.add(("sources", name), "is the name of the built-in source: choose another")
    if sources is not None and not isinstance(sources, dict):
        return  # nothing to compare with, and said already
    known = list(mapping(sources))
    defaults = mapping(document.get("defaults"))
    _refer(defaults.get("source"), ("defaults", "source"), "source", known, problems)
    for draft in drafts:
        own = draft.raw.get("source")
        _refer(own, (*draft.path, "source"), "source", known, problems)
        if own is None and defaults.get("source") is None and len(known) != 1:
            what = "give `source:` or `defaults.source`" if known else "add one under `sources`"
            problems.add(draft.path, f"has no source to ask: {what}")


def _check_feeds(document: Mapping, problems: Problems) -> None:
    """How far a table was read is remembered by its name and its events' name."""
    for source, section in mapping(document.get("sources")).items():
        events = mapping(section).get("events")
        first: dict[tuple[object, object], Path] = {}
        for index, raw in enumerate(events if isinstance(events, list) else []):
            path: Path = ("sources", source, "events", index)
            table, event = mapping(raw).get("table"), mapping(raw).get("event")
            off = mapping(raw).get("forward") in (None, False, "false")
            if off or not isinstance(table, str) or not isinstance(event, str | None):
                continue
            other = first.setdefault((table, event), path)
            if other != path:
                problems.add(path, f"sends on the same events as {problems.dotted(other)}: keep one of the two")


def _check_destinations(document: Mapping, drafts: list[Draft], problems: Problems) -> None:
    destinations = document.get("destinations")
    if destinations is not None and not isinstance(destinations, dict):
        return
    known = list(mapping(destinations))
    users: list[tuple[Path, Mapping]] = [(("defaults",), mapping(document.get("defaults")))]
    users += [(draft.path, draft.raw) for draft in drafts]
    for path, raw in users:
        _refer_all(raw.get("destinations"), (*path, "destinations"), known, problems)


def _refer_all(names: object, path: Path, known: list[str], problems: Problems) -> None:
    if isinstance(names, str):
        _refer(names, path, "destination", known, problems)
    elif isinstance(names, list):
        for index, name in enumerate(names):
            _refer(name, (*path, index), "destination", known, problems)
            if name in names[:index]:
                problems.add((*path, index), "is named twice: keep one of them")


def _refer(name: object, path: Path, what: str, known: list[str], problems: Problems) -> None:
    if isinstance(name, str) and name not in known and not (what == "source" and name in RESERVED_SOURCES):
        hint = did_you_mean(name, known) or (f": use one of {listed(known)}" if known else f": add it under `{what}s`")
        problems.add(path, f"there is no such {what}{hint}")


def _check_limits(document: Mapping, problems: Problems) -> None:
    """R3: a claim must outlast the request that is made under it."""
    for name, destination in mapping(document.get("destinations")).items():
        limits = mapping(mapping(destination).get("limits"))
        path = ("destinations", name, "limits")
        if any(problems.is_unresolved((*path, key)) for key in ("lease", "deadline")):
            continue
        try:
            lease, deadline = (_seconds(limits, key) for key in ("lease", "deadline"))
        except ValueError:
            continue  # already reported
        if lease <= deadline + LEASE_MARGIN:
            at = "lease" if limits.get("lease") is not None else "deadline"
            problems.add(
                (*path, at),
                f"`lease` must be longer than `deadline` plus {LEASE_MARGIN:g} s: lengthen one or shorten the other",
            )


def _seconds(limits: Mapping, key: str) -> float:
    value = limits.get(key)
    return float(LimitsSection.model_fields[key].default) if value is None else durations.parse(value)


def _check_keys(drafts: list[Draft], problems: Problems) -> None:
    first: dict[str, Draft] = {}
    for draft in drafts:
        path = (*draft.path, "key" if draft.raw.get("key") is not None else "name")
        if draft.name and not draft.key and path[-1] == "name":
            problems.add(path, "has no Latin letter or digit to make a key of: give `key:`")
        elif len(draft.key) > LONGEST_KEY and path[-1] == "name":
            problems.add(path, f"makes a key longer than {LONGEST_KEY} characters: give a shorter `key:`")
        elif draft.key in RESERVED_KEYS:
            problems.add(path, f"gives a key that Pushwoosh reads as a field of the profile, and loses: {_UNRESERVED}")
        elif draft.key in first:
            other = first[draft.key].path
            place = f"{problems.dotted(other)} (line {problems.line(other)})"
            shown = f" `{draft.key}`" if problems.may_show(path) else ""
            problems.add(path, f"gives the same key{shown} as {place}: rename one, or give it another `key:`")
        elif draft.key:
            first[draft.key] = draft


def _check_questions(drafts: list[Draft], problems: Problems) -> None:
    for draft in drafts:
        audience = draft.kind is Kind.AUDIENCE
        given = [key for key in QUESTIONS[draft.kind] if draft.raw.get(key) is not None]
        for key in given[1:]:
            problems.add((*draft.path, key), f"is given beside `{given[0]}`: keep one of the two")
        if not given:
            what = "its members: give `query`, `sql` or `table`" if audience else "its values: give `query` or `sql`"
            problems.add(draft.path, f"says nothing about {what}")
        if given and given[0] != "query" and draft.raw.get("full_refresh") is not None:
            problems.add(
                (*draft.path, "full_refresh"),
                f"goes with `query` only, for what `{given[0]}` gives is read whole each time: remove it",
            )


def _check_enrichment(drafts: list[Draft], problems: Problems) -> None:
    for draft in drafts:
        columns = draft.raw.get("with")
        for column in [columns] if isinstance(columns, str) else columns if isinstance(columns, list) else []:
            if isinstance(column, str) and column in RESERVED_KEYS and column not in FIELDS_FROM_TRAITS:
                problems.add(
                    (*draft.path, "with"),
                    "names a column that Pushwoosh reads as a field of the profile, and loses: give it another name with AS",
                )


def _check_after(document: Mapping, drafts: list[Draft], problems: Problems) -> None:
    default = mapping(document.get("defaults")).get("schedule")
    resolve = resolver(drafts)
    known = list(dict.fromkeys(text for draft in drafts for text in (draft.name, draft.key) if text))
    complete = not any(problems.is_unresolved((*draft.path, key)) for draft in drafts for key in ("name", "key"))
    follows: dict[str, str] = {}
    for draft in drafts:
        own = draft.raw.get("schedule")
        target = after(default if own is None else own)
        if target is None or problems.is_unresolved((*draft.path, "schedule")):
            continue
        key = resolve(target)
        if key and draft.key:
            follows[draft.key] = key
        elif not key and complete:
            path = ("defaults", "schedule") if own is None else (*draft.path, "schedule")
            shown = known if all(problems.may_show((*draft.path, "name")) for draft in drafts) else []
            problems.add(
                path, f"there is no definition to run after by that name{did_you_mean(target, shown) or ': mend it'}"
            )
    _check_cycles(follows, {draft.key: draft for draft in reversed(drafts)}, problems)


def _check_cycles(follows: dict[str, str], drafts: dict[str, Draft], problems: Problems) -> None:
    told: set[str] = set()
    for start in follows:
        chain = [start]
        while (following := follows.get(chain[-1])) and following not in chain:
            chain.append(following)
        if following != start or start in told:
            continue  # leads out, or into a circle that is told from within
        told.update(chain)
        names = " → ".join(_label(drafts[key], problems) for key in (*chain, start))
        path = drafts[start].path
        problems.add((*path, "schedule"), f"runs after itself ({names}): give one of them a time")


def _label(draft: Draft, problems: Problems) -> str:
    return draft.name if problems.may_show((*draft.path, "name")) else problems.dotted(draft.path)


def after(schedule: object) -> str | None:
    """The name in an ``after:``, in either form."""
    if isinstance(schedule, str):
        schedule = ScheduleSection.expand(schedule)
    name = mapping(schedule).get("after")
    return name.strip() if isinstance(name, str) else None


def resolver(drafts: list[Draft]) -> Callable[[str], str | None]:
    """From a definition's key or name to its key; a key wins over a name."""
    keys = {draft.name: draft.key for draft in reversed(drafts) if draft.name and draft.key}
    keys.update({draft.key: draft.key for draft in drafts if draft.key})
    return keys.get
