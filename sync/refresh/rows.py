"""A row of a customer's table as a Segment event.

The same row gives the same message id whenever it is read, whatever other rows are there. Of whole numbers that the
database keeps unique, the id comes from cursor and user alone, so that a row which is changed after all is not another
event. Any other cursor several rows may share: all that the event says tells them apart, and equal rows are counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from hashlib import blake2b
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, TypeAlias
from uuid import UUID

import orjson

from sync.model import received
from sync.model.canonical import user_id_text
from sync.model.cleaning import cleaned
from sync.model.event import LoggedEvent
from sync.model.feed import Cursor, EventsTable
from sync.model.received import RefusedEvent
from sync.source.feed import NewRows, Places, Row, cursor_of, is_cursor
from sync.source.lenient import Unread

LARGEST_GROUP = 1000
"""Rows of one cursor that are looked at together; there may be more."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that cannot be an event. ``key`` knows it again; ``reason`` is a sentence's rest, without its values."""

    key: str
    reason: str


Rows: TypeAlias = Iterator[tuple[Cursor, list[LoggedEvent | Skipped]]]
"""Groups of rows; with the last group of its kind their cursor, with others nothing."""


def read(found: NewRows, source: str, table: EventsTable, received_at: datetime) -> Rows:
    """The rows of an answer as events, in its order."""
    converter = _Converter(source, table, found.places, received_at)
    for value, group in groupby(found.rows, itemgetter(found.places.cursor)):
        if not is_cursor(value):  # no place to go on from
            for row in group:
                yield None, [converter.skipped(row, "its cursor cannot be read, or is infinite")]
            continue
        cursor = cursor_of(value)
        rows = list(islice(group, LARGEST_GROUP))
        shared = not (found.unique and isinstance(cursor, int))
        identity = _Identity(table.feed_name(source), cursor, shared=shared)
        while following := list(islice(group, LARGEST_GROUP)):
            yield None, converter.events(rows, identity)
            rows = following
        yield cursor, converter.events(rows, identity)


class _Identity:
    """The message ids of the rows of one cursor. ``shared``: a user may have several of them."""

    def __init__(self, feed: str, cursor: Cursor, *, shared: bool) -> None:
        self.shared = shared
        self._start = orjson.dumps([feed, cursor])
        self._seen: Counter[bytes] = Counter()

    def of(self, event: dict[str, object]) -> str:
        said = _text(event) if self.shared else orjson.dumps(event["userId"])
        digest = blake2b(self._start + said, digest_size=16)
        name = digest.hexdigest()
        if not self.shared:
            return name
        before = self._seen[digest.digest()]
        self._seen[digest.digest()] += 1
        return f"{name}-{before}" if before else name


def _text(event: dict[str, object]) -> bytes:
    try:
        return orjson.dumps(event, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a number beyond 64 bits, half a character
        return orjson.dumps(cleaned(event), option=orjson.OPT_SORT_KEYS)


class _Converter:
    """Makes events of one table's rows."""

    def __init__(self, source: str, table: EventsTable, places: Places, received_at: datetime) -> None:
        self._source = f"sql:{source}.{table.table}"
        self._event = table.event
        self._places = places
        self._received_at = received_at

    def events(self, rows: Iterable[Row], identity: _Identity) -> list[LoggedEvent | Skipped]:
        """Each row as an event, or why it is none."""
        return [self._one(row, identity) for row in rows]

    def _one(self, row: Row, identity: _Identity) -> LoggedEvent | Skipped:
        try:
            event = self._event_of(row)
            message_id = identity.of(event)
            return received.read_event(
                {**event, "messageId": message_id},
                source=self._source,
                received_at=self._received_at,
                collected=False,
            )
        except (ValueError, RefusedEvent) as error:
            return self.skipped(row, str(error))

    def skipped(self, row: Row, reason: str) -> Skipped:
        """A row that is no event."""
        key = blake2b(repr((self._source, row)).encode("utf-8", "surrogatepass"), digest_size=16)
        return Skipped(key.hexdigest(), reason)

    def _event_of(self, row: Row) -> dict[str, object]:
        """Raises ``ValueError`` with the rest of a sentence."""
        places = self._places
        timestamp = _instant(row[places.timestamp])
        name = self._event if places.name is None else row[places.name]
        if not isinstance(name, str) or not name.strip():
            raise ValueError("its column with the event's name is empty")
        if places.properties is None:
            properties = {name: _plain(row[at]) for name, at in places.others if row[at] is not None}
        else:
            properties = _object(row[places.properties])
        if isinstance(row[places.user_id], Unread):
            raise ValueError("its user id is not valid text")  # noqa: TRY004 -- as all that is wrong with a row
        try:
            user_id = user_id_text(row[places.user_id])
        except ValueError as error:
            raise ValueError(f"its user id {error}") from None
        return {"type": "track", "event": name, "userId": user_id, "timestamp": timestamp, "properties": properties}


def _instant(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    found = received.instant(float(value) if isinstance(value, Decimal) else value)
    if found is None:
        raise ValueError("its timestamp is empty, or cannot be read as an instant")
    return found.isoformat()


def _object(value: object) -> dict[str, object]:
    if value is None or value == "":
        return {}
    if isinstance(value, str | bytes):
        try:
            value = orjson.loads(value)
        except ValueError:
            raise ValueError("its column with the properties does not hold JSON") from None
    if not isinstance(value, dict):
        raise ValueError("its column with the properties holds JSON that is no object")  # noqa: TRY004 -- as all that is wrong with a row
    return value


def _plain(value: Any) -> object:
    """A column's value as JSON has it. What has no form there (bytes, NaN) is left out as nothing."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        found = received.instant(value)
        return None if found is None else found.isoformat().replace("+00:00", "Z")
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else None


def _number(value: float | Decimal) -> int | float | None:
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value() and abs(value) < 2**63:
        return int(value)
    number = float(value)
    return number if number - number == 0 else None
