"""The names of the language: which there are, what may follow what, and what to say about all others."""

from __future__ import annotations

from difflib import get_close_matches

from sync.language.misplaced import shown

EXTRACTORS = ("event", "trait", "property", "context", "literal")
FILTERS = ("where", "sources", "within", "between")
REDUCERS = ("count", "sum", "avg", "min", "max", "mode", "first", "last", "unique")
COMPARISONS = (
    "eq",
    "neq",
    "gt",
    "gte",
    "lt",
    "lte",
    "is_null",
    "is_set",
    "contains",
    "omits",
    "starts_with",
    "ends_with",
    "contains_one",
    "one_of",
    "before_date",
    "after_date",
    "within_last",
    "within_next",
    "before_last",
    "after_next",
)
ALL = EXTRACTORS + FILTERS + REDUCERS + COMPARISONS

_USAGE = {
    "event": "event('Order Completed')",
    "trait": "trait('total_spend')",
    "property": "property('price')",
    "context": "context('page.url')",
    "literal": "literal(100)",
    "where": "where(property('price') > 100)",
    "sources": "sources(exclude: ['source-id'])",
    "within": "within(7 days)",
    "between": "between(7 days, 10 days)",
    "count": "count()",
    "mode": "mode(property('brand'), 2)",
    "is_null": "is_null()",
    "is_set": "is_set()",
    "contains_one": "contains_one(['shoes', 'shirts'])",
    "one_of": "one_of(['shoes', 'shirts'])",
    "before_date": "before_date('2023-12-07T18:50:00Z')",
    "after_date": "after_date('2023-12-07T18:50:00Z')",
}

_MEANT = {
    "average": "avg",
    "mean": "avg",
    "total": "sum",
    "distinct": "unique",
    "minimum": "min",
    "maximum": "max",
    "exists": "is_set",
    "is_not_null": "is_set",
    "is_empty": "is_null",
    "equals": "eq",
    "not_equals": "neq",
    "ne": "neq",
    "ge": "gte",
    "le": "lte",
    "in": "one_of",
    "not_contains": "omits",
    "does_not_contain": "omits",
    "like": "contains",
    "filter": "where",
    "events": "event",
    "prop": "property",
    "user": "trait",
    "before": "before_date",
    "after": "after_date",
}
"""What other languages call it."""


def usage(name: str) -> str:
    """How the function is written."""
    if name in REDUCERS:
        return _USAGE.get(name, f"{name}(property('price'))")
    if name in {"contains", "omits", "starts_with", "ends_with"}:
        return f"{name}('shoes')"
    if name in {"within_last", "within_next", "before_last", "after_next"}:
        return f"{name}(7 days)"
    return _USAGE.get(name, f"{name}(100)")


AFTER_EVENTS = f"after events stands a filter ({', '.join(FILTERS)}) or a reducer ({', '.join(REDUCERS)})"
AFTER_A_VALUE = "after a value stands a comparison, such as `>= 1`, `.is_set()` or `.contains('…')`"
AFTER_A_LIST = "a list of values can only be counted: `.count()`"
AFTER_A_LITERAL = "nothing follows a literal: it stands on the right of a comparison"
AFTER_A_COMPARISON = "this is complete, and is joined to others by `AND` or `OR`"


def unknown(name: str, allowed: tuple[str, ...]) -> str:
    """The sentence for a function that does not exist, where ``allowed`` ones could stand."""
    wanted = name.lower()
    meant = _MEANT.get(wanted)
    close = [meant] if meant else get_close_matches(wanted, allowed, n=1) or get_close_matches(wanted, ALL, n=1)
    rather = f"did you mean `{usage(close[0])}`?" if close else f"here could stand {listed(allowed)}"
    return f"there is no function {shown(name)}; {rather}"


def not_at_the_beginning(name: str) -> str:
    """The sentence for a function of a chain that has nothing before it."""
    if name in COMPARISONS:
        return f"`{name}` compares what stands before it: write `trait('total_spend').{usage(name)}`"
    if name in FILTERS:
        return f"`{name}` filters the events before it: write `event('Order Completed').{usage(name)}`"
    return f"`{name}` reduces the events before it: write `event('Order Completed').{usage(name)}`"


def bare(word: str) -> str:
    """The sentence for a word without quotes and parentheses where a value should be."""
    if word.lower() in {"null", "none", "nil"}:
        return "there is no null to compare with: write `.is_null()` or `.is_set()`"
    if word.lower() in ALL:
        return f"`{word}` needs parentheses: write `{usage(word.lower())}`"
    return f"{shown(word)} stands without quotes: write a text as `'{shown(word)[1:-1]}'`"


def listed(words: tuple[str, ...]) -> str:
    """``a, b or c``, each in backticks."""
    quoted = [f"`{word}`" for word in words]
    return " or ".join(filter(None, [", ".join(quoted[:-1]), quoted[-1]]))
