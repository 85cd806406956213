"""Liquid's filters on lists, as liquidjs has them, and ``default`` and ``size``, which take anything."""

from __future__ import annotations

from liquid.exceptions import FilterArgumentError

from sync.mapping.liquid.numbers import to_number
from sync.mapping.liquid.texts import text
from sync.mapping.paths import member, split, walker
from sync.mapping.values import LONGEST_TEXT, MISSING, falsy, text_of


def nothing(value: object) -> bool:
    """Null or missing."""
    return value is None or value is MISSING


def listed(value: object) -> list[object]:
    """A list as it is, nothing as an empty one, anything else as its only item."""
    if nothing(value):
        return []
    return value if isinstance(value, list) else [value]


def join(value: object, separator: object = None) -> str:
    between = " " if nothing(separator) else text(separator)
    parts = ["" if nothing(each) else text_of(each) for each in listed(value)]
    if sum(map(len, parts)) + len(between) * len(parts) > LONGEST_TEXT:
        raise FilterArgumentError("the text grows too long", token=None)
    return between.join(parts)


def first(value: object) -> object:
    return _item(value, 0)


def last(value: object) -> object:
    return _item(value, -1)


def _item(value: object, index: int) -> object:
    return value[index] if isinstance(value, (list, str)) and value else None


def size(value: object) -> object:
    length = MISSING if falsy(value) else member(value, "length")
    return 0 if falsy(length) else length


def compact(value: object) -> list[object]:
    return [each for each in listed(value) if not nothing(each)]


def push(value: object, item: object) -> list[object]:
    return [*listed(value), *listed([item])]


def pop(value: object) -> list[object]:
    return listed(value)[:-1]


def shift(value: object) -> list[object]:
    return listed(value)[1:]


def unshift(value: object, item: object) -> list[object]:
    return [item, *listed(value)]


def total(value: object, key: object = None) -> float:
    """The sum of what are numbers, of the items or of a member of each."""
    items = listed(value) if falsy(key) else _members(value, key)
    return sum(to_number(each) for each in items)


def where(value: object, key: object, wanted: object = MISSING) -> list[object]:
    """The items whose member is ``wanted``, or, when that is not said, true in Liquid's sense."""
    pairs = zip(listed(value), _members(value, key), strict=True)
    if wanted is MISSING:
        return [item for item, found in pairs if not nothing(found) and found is not False]
    return [item for item, found in pairs if found == wanted and isinstance(found, bool) is isinstance(wanted, bool)]


def _members(value: object, key: object) -> list[object]:
    walk = walker(split(text(key)))
    return [walk(item) if isinstance(item, dict) else MISSING for item in listed(value)]


def slice_of(value: object, start: object, length: object = 1) -> object:
    """So many items or characters from an index on; a negative index counts from the end."""
    if nothing(value):
        return []
    whole = value if isinstance(value, list) else text(value)
    begin, count = int(to_number(start)), int(to_number(length))
    if begin < 0:
        begin += len(whole)
    return whole[:0] if begin < 0 or count < 0 else whole[begin : begin + count]


def default(value: object, other: object = None, *, allow_false: object = False) -> object:
    if isinstance(value, (list, str)):
        return value or other
    if value is False and not falsy(allow_false):
        return False
    return other if nothing(value) or value is False else value
