"""What stands below ``mappings`` is Segment's own, and is taken as it was pasted.

Nothing is filled in (``${`` may be part of a template), and a plain value is what JSON makes of it, else text: YAML would
read the country ``NO`` as false, ``12:30`` as 750, ``007`` as 7 and ``2024-05-17`` as a date. Mappings hold no secrets.
"""

from __future__ import annotations

import re

import orjson
import yaml

from sync.config.problems import Path

_TAG = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORDS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_RESOLVER = yaml.resolver.Resolver()


def is_verbatim(path: Path) -> bool:
    """Whether the value at ``path`` is a destination's ``mappings``, or a part of them."""
    return len(path) > 2 and path[0] == "destinations" and path[2] == "mappings"


def scalar(node: yaml.ScalarNode) -> object:
    """A scalar as JSON has it. Raises ``ValueError`` for what JSON does not have."""
    text = joined(node.value)
    text.encode("utf-8")  # a lone surrogate is no text
    plain = node.style is None
    if node.tag != _RESOLVER.resolve(yaml.ScalarNode, node.value, (plain, not plain)):  # type: ignore[no-untyped-call]
        if node.tag == _TAG + "str":
            return text
        raise ValueError("a tag that means nothing in JSON")
    if not plain:
        return text
    if node.tag == _TAG + "null":
        return None
    if _NUMBER.fullmatch(text):
        return orjson.loads(text)
    return _WORDS.get(text, text)


def joined(text: str) -> str:
    r"""``text`` with pairs of surrogates made one character: JSON writes ``😀`` as ``"\ud83d\ude00"``."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
