"""Tags that Pushwoosh skipped because it does not know them: each is told once, with what to create.

The type is that of the first value that was skipped. What was accepted is not owed any more, so the values have to be
sent again once the tag is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import orjson

from sync.destinations.answers import clean
from sync.destinations.pushwoosh import answers
from sync.destinations.pushwoosh.public.tag_types import ANY, advised, holding

MOST_TOLD = 500
"""Names that are told. Attributes of events may have any name: a warning for each would fill the memory."""

_NOT_FOUND = "not found"
_MORE = f"more than {MOST_TOLD} tags were skipped: take what is no tag out of the mapping's `custom_attributes`"


class SkippedTags:
    """Of one destination: the same tag always has the same warning."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._told: dict[str, str] = {}

    def explained(self, warnings: Iterable[str], answer: bytes, sent: bytes) -> tuple[str, ...]:
        """The warnings of an accepted ``answer`` to a ``setTags`` with the body ``sent``, those about tags with advice."""
        skipped = {answers.skipped_sentence(tag, self._secrets): tag for tag in answers.skipped(answer)}
        values = _tags(sent)
        found = (self._about(text, skipped[text], values) if text in skipped else text for text in warnings)
        return tuple(dict.fromkeys(found))

    def _about(self, plain: str, skipped: answers.Skipped, values: Mapping[str, object]) -> str:
        known = self._told.get(skipped.tag)
        if known is not None:
            return known
        if len(self._told) >= MOST_TOLD:
            return _MORE
        told = plain if _NOT_FOUND not in skipped.reason.lower() else f"{plain}. {self._advice(skipped.tag, values)}"
        return self._told.setdefault(skipped.tag, told)

    def _advice(self, tag: str, values: Mapping[str, object]) -> str:
        types = holding(values[tag]) if tag in values else ANY
        kind = advised(types)
        of_type = f" with the type {kind}" if kind else ""
        return clean(
            f"Create it in Pushwoosh's Control Panel{of_type}; then `backfill` sends its values again", self._secrets
        )


def _tags(sent: bytes) -> Mapping[str, object]:
    found: object = orjson.loads(sent)["request"]["tags"]
    return found if isinstance(found, dict) else {}
