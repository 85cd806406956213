"""A complete mapping: the one at the top, and the one that ``@transform`` applies first.

A complete mapping may be turned inside out: under the key ``__segment_internal_directive`` stands one directive, and
all its neighbours become that directive's ``mapping``.
"""

from __future__ import annotations

from collections.abc import Mapping

from sync.errors import InvalidMapping
from sync.mapping.check import Checker
from sync.mapping.scope import Directive

_ROOT = "__segment_internal_directive"


def checked(mapping: dict[str, object], directives: Mapping[str, Directive]) -> dict[str, object]:
    """The mapping as it is to be resolved, its root directive unfolded.

    Raises:
        InvalidMapping: with every problem that the check stage finds.
    """
    if _ROOT in mapping:
        mapping = _unfolded(mapping)
    checker = Checker(directives)
    checker.value(mapping, ())
    if checker.problems:
        raise InvalidMapping(checker.problems)
    return mapping


def _unfolded(mapping: dict[str, object]) -> dict[str, object]:
    root = mapping[_ROOT]
    if not isinstance(root, dict) or len(root) != 1:
        raise InvalidMapping([((_ROOT,), "must be an object with a single directive")])
    [(name, argument)] = root.items()
    if not isinstance(argument, dict):
        raise InvalidMapping([((_ROOT, name), "must be an object: the other keys of the mapping go into it")])
    others = {key: value for key, value in mapping.items() if key != _ROOT}
    return {name: {**argument, "mapping": others}}
