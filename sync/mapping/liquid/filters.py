"""Liquid's filters by name: what each does, which are switched off, and which only liquidjs has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from liquid.exceptions import FilterArgumentError
from liquid.undefined import Undefined

from sync.mapping.liquid import dates, lists, numbers, texts
from sync.mapping.values import LONGEST_TEXT, MISSING

_FILTERS: Final[dict[str, Callable[..., object]]] = {
    **{
        each.__name__: each
        for each in (
            *(texts.append, texts.prepend, texts.capitalize, texts.downcase, texts.upcase, texts.strip, texts.lstrip),
            *(texts.rstrip, texts.squish, texts.normalize_whitespace, texts.strip_newlines, texts.strip_html),
            *(texts.split, texts.replace, texts.replace_first, texts.replace_last, texts.remove, texts.remove_first),
            *(texts.remove_last, texts.truncate, texts.truncatewords, texts.number_of_words, texts.escape),
            *(texts.escape_once, texts.url_encode, texts.url_decode, texts.base64_encode, texts.base64_decode),
            *(texts.sha256, texts.json, numbers.to_integer, numbers.at_least, numbers.at_most, numbers.plus),
            *(numbers.minus, numbers.times, numbers.divided_by, numbers.modulo, numbers.ceil, numbers.floor),
            *(lists.join, lists.first, lists.last, lists.size, lists.compact, lists.push, lists.pop, lists.shift),
            *(lists.unshift, lists.where, lists.default, dates.date),
        )
    },
    "abs": numbers.absolute,
    "round": numbers.rounded,
    "sum": lists.total,
    "slice": lists.slice_of,
    "jsonify": texts.json,
    "xml_escape": texts.escape,
}

_SWITCHED_OFF = """
array_to_sentence_string concat find find_exp find_index find_index_exp group_by group_by_exp has has_exp map
newline_to_br reject reject_exp reverse sort sort_natural uniq where_exp type
"""

_ONLY_IN_LIQUIDJS = """
slugify cgi_escape uri_escape sample raw inspect hmac_sha256 date_to_xmlschema date_to_rfc822 date_to_string
date_to_long_string
"""

REFUSED: Final = frozenset((_SWITCHED_OFF + _ONLY_IN_LIQUIDJS).split())
"""Filters that a template may not use; a name that is in neither place does nothing, as in liquidjs."""


def _bounded(run: Callable[..., object]) -> Callable[..., object]:
    def filtered(value: object, *arguments: object, **named: object) -> object:
        given = [_plain(each) for each in (value, *arguments)]
        result = run(*given, **{name: _plain(each) for name, each in named.items()})
        if isinstance(result, (str, list)) and len(result) > LONGEST_TEXT:
            raise FilterArgumentError("the text grows too long", token=None)
        return result

    return filtered


def _plain(value: object) -> object:
    """A value of JSON; a range of numbers is none, since there are no loops to use it in."""
    if isinstance(value, Undefined):
        return MISSING
    if not (value is None or value is MISSING or isinstance(value, (str, bool, int, float, list, dict))):
        raise FilterArgumentError("cannot be used with a filter", token=None)
    return value


def filters() -> dict[str, Callable[..., object]]:
    """Every filter, with its arguments made plain and its result bounded."""
    return {name: _bounded(run) for name, run in _FILTERS.items()}
