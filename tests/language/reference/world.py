"""Random dirty data: what a tracking plan wants, and what it gets.

Everything is drawn from a few small pools, and so are the literals of the definitions asked about it: values meet, times
stand on the edges of windows to the microsecond, and events coincide.
"""

# ruff: noqa: RUF001  (it is about letters and quotes that look alike)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from random import Random

from tests.language.reference.evaluate import Data, Object
from tests.language.reference.tree import Span

EVENTS = ("Shoes Bought", "Shoes Returned", "Page Viewed", "Screen Viewed", 'It\'s 100% ☂ "new"')
DECOYS = ("shoes bought", "Shoes Bought ", "Shoes_Bought", "Shoes", "", None, 7)
SOURCES = ("web", "ios", "/;hSBZDqGDPv")

NUMBERS = (0, 1, 2, 3, 3.0, 5, 10, 99.75, 100, 100.0, 100.25, 200, -1, -2.5, 0.5, 1_000_000_000_000)
"""Sums of these are exact in binary, in any order."""
MIXED = (5, "5", 5.0, "5.0", 10, "10", 9, "9", True, "true", 1, "1", False, 0, "")
ALIKE = (
    ("shoes", "Shoes", "SHOES", "red shoes", "shoes ", "sho"),
    ("100%", "100", "1000", "100%%", "%", "0%"),
    ("a_b", "axb", "A_B", "aa_b", "_", "ab"),
    ("a\\b", "a\\\\b", "\\", "ab", "a/b"),
    ("[a]", "a*b", "a?", "a", "aab", "(a|b)"),
    ("O'Neil", 'so "new"', "'", '"', "‘shoes’", "two\nlines"),
    ("é", "e\u0301", "É", "e", "eé"),
    ("straße", "STRASSE", "strasse", "ß", "ss"),
    ("\uff5e", "😀", "👩‍👩‍👧", "👩", "\ufb01", "z"),
    ("Z", "a", "B", "b", "_", "aB"),
    ("", " ", "null", "NULL", "true", "\ufeff"),
    ("5", "10", "9", "3.0", "-1", "NaN", "1e2", " 5"),
    ("İ", "i", "I", "ı", "ﬁ", "fi"),
)
"""Texts that one engine or another takes for the same, or for a pattern, or puts in another order."""
NO_DATES = (
    "yesterday",
    "2024-02-30",
    "2024-02-30 10:00:00",
    "2024-02-29 24:00:00",
    "0000-02-03 10:00:00",
    "-2024-02-03 10:00:00",
    "2023-02-29T00:00:00Z",
    "2024-13-01",
    "2024-01-01T25:00:00Z",
    "12:30",
    "1700000000",
    "",
)

PROPERTIES = {
    "price": "number",
    "spend": "number",
    "details.size": "number",
    "Größe": "number",
    "brand": "text",
    "details.name": "text",
    'it\'s "odd" $%': "text",
    "gift": "boolean",
    "code": "mixed",
    "due": "date",
    "products": "nested",
    "products.0": "text",
    "nowhere": "any",
}
CONTEXTS = {"page.url": "text", "locale": "text", "app.build": "number", "app": "nested"}
TRAITS = {
    "total_spend": "number",
    "avg_spend": "number",
    "email": "text",
    "address.city": "text",
    "vip": "boolean",
    "birthday": "date",
    "tags": "nested",
    "nowhere.at.all": "any",
}
PAGE_NAMES = {"Page Viewed": "page_name", "Screen Viewed": "screen_name"}

_USERS = ("u1", "u2", "u3", "U1", "ü-4", "u10", "o'neil", "a\\b", "用户", "7", "none")
_NOBODY = ("", None)
_NEAR = (timedelta(microseconds=-1), timedelta(0), timedelta(0), timedelta(microseconds=1))
_SPANS = (*((number, "hours") for number in (1, 12, 24)), *((number, "days") for number in (1, 2, 3, 5, 7, 10, 30)))


@dataclass(frozen=True, slots=True)
class Pools:
    """What values and literals are drawn from; few, so that they meet."""

    as_of: datetime
    spans: tuple[Span, ...]
    events: tuple[str, ...]
    numbers: tuple[int | float, ...]
    texts: tuple[str, ...]
    dates: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Some users and what they did, and what that was drawn from."""

    pools: Pools
    data: Data

    @property
    def as_of(self) -> datetime:
        """The instant to ask at."""
        return self.pools.as_of


def random_world(random: Random) -> World:
    """Up to eleven users with about six events each."""
    pools = _random_pools(random)
    return World(pools, Maker(random, pools).data())


def _random_pools(random: Random) -> Pools:
    as_of = datetime(2024, 3, random.randrange(1, 5), tzinfo=UTC)
    as_of += timedelta(seconds=random.randrange(86_400), microseconds=random.choice((0, 1, 500_000, 999_999)))
    spans = tuple(Span(*span) for span in random.sample(_SPANS, 2))
    edges = [as_of + span.long * sign for span in spans for sign in (-1, 0, 1)]
    days = [datetime(2024, 2, 29, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC)]
    dates = tuple(random.choice(edges + days) for _ in range(4))
    most, some = random.choice(ALIKE), random.choice(ALIKE[:5] if random.random() < 0.5 else ALIKE)
    texts = (*most, *most, *some)
    events = (*EVENTS[:2], random.choice(EVENTS[2:]))
    return Pools(as_of, spans, events, tuple(random.sample(NUMBERS, 7)), texts, dates)


class Maker:
    """Makes the data of one world."""

    def __init__(self, random: Random, pools: Pools) -> None:
        self._random = random
        self._pools = pools
        self._as_of = pools.as_of
        self._spans = pools.spans

    def data(self) -> Data:
        """Profiles and events."""
        random = self._random
        users = random.sample(_USERS, random.randrange(6, len(_USERS)))
        profiles = [self._profile(user) for user in users if random.random() < 0.8]
        events: list[Object] = []
        for user in users:
            events += self._history(user, random.choice((0, 1, 3, 5, 7, 9, 12)))
        for nobody in _NOBODY:
            if random.random() < 0.3:
                profiles.append(self._profile(nobody))
                events += self._history(nobody, 2)
        random.shuffle(profiles)
        random.shuffle(events)
        return Data(profiles, [{**event, "messageId": f"m-{place:04}"} for place, event in enumerate(events)])

    def _profile(self, user: str | None) -> Object:
        traits = self._document(TRAITS) if self._random.random() < 0.95 else self._pick((None, [], "x", {}))
        return self._without_some({"user_id": user, "traits": traits})

    def _history(self, user: str | None, length: int) -> list[Object]:
        events: list[Object] = []
        times: list[datetime] = []
        for _ in range(length):
            times.append(self._time(times))
            events.append(self._event(user, times[-1]))
        return events

    def _time(self, earlier: list[datetime]) -> datetime:
        """Anywhere in the last weeks, or on an edge: of a window, of a funnel, of now; or when something else was."""
        random = self._random
        near = self._pick(_NEAR)
        span = self._pick(self._spans).long
        choice = random.random()
        if earlier and choice < 0.18:
            return self._pick(earlier)
        if earlier and choice < 0.24:
            return self._pick(earlier) + near
        if earlier and choice < 0.5:
            return self._pick(earlier) + span + near
        if choice < 0.6:
            return self._as_of - span + near
        if choice < 0.65:
            return self._as_of + near
        if choice < 0.68:
            return self._as_of + span
        longest = max(span.long for span in self._spans) * 1.3
        return self._as_of - longest * random.random()

    def _event(self, user: str | None, at: datetime) -> Object:
        random = self._random
        name = self._pick(DECOYS) if random.random() < 0.05 else self._pick(self._pools.events)
        event: Object = {"userId": user, "timestamp": written(at, random), "projectId": self._pick((*SOURCES, None))}
        event |= {"properties": self._document(PROPERTIES), "context": self._document(CONTEXTS)}
        if random.random() < 0.02:
            event["timestamp"] = self._pick((None, *NO_DATES))
        if random.random() < 0.04:
            event[self._pick(("properties", "context"))] = self._pick((None, [], "x", 5))
        # A page is not a track event that is called like it, and neither is what tells who somebody is.
        if name in PAGE_NAMES and random.random() < 0.9:
            own = {"name": self._value("text")} if random.random() < 0.9 else {}
            return self._without_some({**event, "type": str(name).split()[0].lower(), **own})
        return self._without_some({**event, "type": "track" if random.random() < 0.97 else "identify", "event": name})

    def _without_some(self, told: Object) -> Object:
        """Null and absent are the same, wherever they are."""
        absent = [key for key, value in told.items() if value is None and self._random.random() < 0.5]
        return {key: value for key, value in told.items() if key not in absent}

    def _document(self, wanted: dict[str, str]) -> Object:
        document: Object = {}
        for name, sort in wanted.items():
            if self._random.random() < 0.2 or sort == "any":
                continue
            *outer, last = name.split(".")
            inside: object = document
            for piece in outer:
                inside = inside.setdefault(piece, {}) if isinstance(inside, dict) else None
            if isinstance(inside, dict):
                inside[last] = self._value(sort if self._random.random() < 0.85 else "dirty")
        return document

    def _value(self, sort: str) -> object:
        made: dict[str, Callable[[], object]] = {
            "number": lambda: self._pick(self._pools.numbers),
            "text": lambda: self._pick(self._pools.texts),
            "boolean": lambda: self._random.random() < 0.5,
            "date": lambda: random_date(self._random, self._pools),
            "mixed": lambda: self._pick(MIXED),
            "nested": lambda: self._pick(([], {}, [self._value("text")], ["shoes", 5], {"0": "shoes"}, [{"price": 5}])),
            "dirty": lambda: self._value(
                self._pick(("number", "text", "boolean", "date", "nested", "null", "no date"))
            ),
            "null": lambda: None,
            "no date": lambda: self._pick(NO_DATES),
        }
        return made[sort]()

    def _pick(self, pool: tuple[object, ...] | list[object]) -> object:
        return self._random.choice(pool)


def random_date(random: Random, pools: Pools) -> str:
    """An ISO 8601 text, mostly on the edge of a span or a microsecond beside it; at times only the day."""
    date = random.choice(pools.dates)
    return date.date().isoformat() if random.random() < 0.15 else written(date + random.choice(_NEAR), random)


def written(at: datetime, random: Random) -> str:
    """One of the texts that mean that instant, to the microsecond."""
    zone = random.choice(("Z", "Z", "Z", "", "+00:00", "+02:00", "-05:30"))
    if zone in ("Z", ""):
        text = at.replace(tzinfo=None).isoformat(sep="T" if random.random() < 0.9 else " ") + zone
        return text.replace(".500000", ".5")
    sign = -1 if zone[0] == "-" else 1
    offset = timezone(sign * timedelta(hours=int(zone[1:3]), minutes=int(zone[4:])))
    return at.astimezone(offset).isoformat()
