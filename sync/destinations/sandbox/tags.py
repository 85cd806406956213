"""The tags that the account has; a value for any other one is skipped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sync.destinations.sandbox.validation import JsonObject


class Tags:
    """The account's tags with the numbers of their types; ``None`` has every tag as soon as anybody names it."""

    def __init__(self, known: Mapping[str, int] | None) -> None:
        self.takes_any = known is None
        self._known = dict(known or {})

    def unknown(self, names: Iterable[str]) -> frozenset[str]:
        """Those of ``names`` that there are not."""
        return frozenset() if self.takes_any else frozenset(names) - self._known.keys()

    def create(self, values: Mapping[str, object]) -> None:
        """Have tags that fit these values from now on."""
        for name, value in values.items():
            self._known.setdefault(name, _type(value))

    def listed(self) -> list[JsonObject]:
        """As ``listTags`` has them."""
        return [{"name": name, "type": number, "isApplicationSpecific": False} for name, number in self._known.items()]


def _type(value: object) -> int:
    if isinstance(value, bool):
        return 5
    if isinstance(value, int):
        return 1
    if isinstance(value, float):
        return 6
    return 3 if isinstance(value, list) else 2
