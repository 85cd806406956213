"""The check stage: everything that is wrong with a mapping, found before any event is seen, each with its path.

It looks where Segment's own check looks: into objects to any depth and into the arguments of directives, never into
lists nor into an object given to ``@literal`` or ``@excludeWhenNull``. What it passes over, the compiler meets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from sync.mapping.values import units

if TYPE_CHECKING:
    from sync.mapping.scope import Directive

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands in the mapping: keys, directives and indexes."""

Problem: TypeAlias = tuple[Path, str]

Rule: TypeAlias = Callable[[object, Path], None]
"""Looks at a value and reports what is wrong with it."""

METADATA = "_metadata"
"""The one key that may stand beside a directive; it is ignored."""

DEEPEST_MAPPING = 64
LARGEST_MAPPING = 100_000

_LONGEST_NAME = 60


@dataclass(slots=True)
class Checker:
    """Collects problems; a rule that finds none leaves nothing."""

    directives: Mapping[str, Directive]
    problems: list[Problem] = field(default_factory=list)

    def report(self, path: Path, sentence: str) -> None:
        """Add a problem."""
        self.problems.append((path, sentence))

    def value(self, value: object, path: Path) -> None:
        """Anything: a directive, an object whose members are anything, or raw JSON."""
        if not isinstance(value, dict):
            return
        if directive_keys(value):
            self.directive(value, path)
            return
        for key, each in value.items():
            self.value(each, (*path, key))

    def directive(self, value: dict[str, object], path: Path) -> None:
        """An object with a key that begins with ``@``: it must be a known directive, alone but for ``_metadata``."""
        names = directive_keys(value)
        if len(names) > 1:
            self.report(path, f"has {len(names)} directives ({_listed(names)}): keep one")
            return
        neighbours = [key for key in value if key not in (names[0], METADATA)]
        if neighbours:
            self.report(path, f"`{shown(names[0])}` stands beside {_listed(neighbours)}: a directive must stand alone")
            return
        directive = self.directives.get(names[0])
        if directive is None:
            self.report(path, unknown_directive(names[0], self.directives))
            return
        directive.check(self, value[directive.name], (*path, directive.name))

    def directive_or_raw(self, value: object, path: Path) -> None:
        """A directive, which is checked, or anything else, which is not."""
        if isinstance(value, dict) and directive_keys(value):
            self.directive(value, path)

    def text_or_directive(self, value: object, path: Path) -> None:
        """A text, or a directive that will give one."""
        if isinstance(value, dict) and directive_keys(value):
            self.directive(value, path)
        elif not isinstance(value, str):
            self.report(path, "must be a text or a directive")

    def object_or_directive(self, value: object, path: Path) -> None:
        """An object whose members are anything, or a directive."""
        if isinstance(value, dict):
            self.value(value, path)
        else:
            self.report(path, "must be an object or a directive")

    def text(self, value: object, path: Path) -> None:
        """A text as it stands."""
        if not isinstance(value, str):
            self.report(path, "must be a text")

    def flag(self, value: object, path: Path) -> None:
        """True or false."""
        if not isinstance(value, bool):
            self.report(path, "must be true or false")

    def text_of(self, shortest: int, longest: int) -> Rule:
        """A text of so many characters, counted in UTF-16 units."""

        def rule(value: object, path: Path) -> None:
            if not isinstance(value, str) or not shortest <= units(value) <= longest:
                self.report(path, f"must be a text of {shortest} to {longest} characters")

        return rule

    def one_of(self, *words: str) -> Rule:
        """One of a few words, in capitals or not."""

        def rule(value: object, path: Path) -> None:
            if not isinstance(value, str) or value.lower() not in words:
                self.report(path, f"must be {' or '.join(f'`{word}`' for word in words)}")

        return rule

    def members(
        self,
        value: object,
        path: Path,
        *,
        required: Mapping[str, Rule] | None = None,
        optional: Mapping[str, Rule] | None = None,
    ) -> None:
        """The argument of a directive: an object whose named members follow their rules and whose others are anything.

        A rule must look as deep as ``value`` does, for a member is looked at once.
        """
        if not isinstance(value, dict) or directive_keys(value):
            self.report(path, f"must be an object with {_listed([*(required or ()), *(optional or ())])}")
            return
        for name in required or ():
            if name not in value:
                self.report(path, f"has no `{name}`: it is required")
        rules = {**(required or {}), **(optional or {})}
        for key, each in value.items():
            rules.get(key, self.value)(each, (*path, key))


def directive_keys(value: Mapping[str, object]) -> list[str]:
    """The keys of an object that make it a directive, or something that was meant to be one."""
    return [key for key in value if key.startswith("@")]


def unknown_directive(name: str, known: Mapping[str, Directive]) -> str:
    """What to say about a directive that does not exist."""
    return f"there is no directive `{shown(name)}`: use one of {', '.join(sorted(known))}"


def unusable(mapping: object) -> list[Problem]:
    """Why the mapping is no JSON that can be walked: foreign values, texts no wire carries, too deep, too large.

    YAML and Python hold more than JSON; an alias that contains itself is found by its depth.
    """
    problems: list[Problem] = []
    seen = 0
    waiting: list[tuple[object, Path]] = [(mapping, ())]
    while waiting:
        value, path = waiting.pop()
        seen += 1
        if seen > LARGEST_MAPPING:
            return [((), f"holds more than {LARGEST_MAPPING} values: make it smaller")]
        if len(path) > DEEPEST_MAPPING:
            return [(path[:1], f"is nested more than {DEEPEST_MAPPING} levels deep: make it flatter")]
        if isinstance(value, list):
            waiting.extend((each, (*path, index)) for index, each in reversed(list(enumerate(value))))
        elif isinstance(value, dict):
            problems += [(path, sentence) for key in value if (sentence := _wrong_key(key))]
            waiting.extend((each, (*path, key)) for key, each in reversed(value.items()) if isinstance(key, str))
        elif sentence := _wrong_scalar(value):
            problems.append((path, sentence))
    return problems


def _wrong_key(key: object) -> str:
    if not isinstance(key, str):
        return "has a key that is not a text: put it in quotes"
    return "" if _encodable(key) else "has a key with half a character in it: write the key anew"


def _wrong_scalar(value: object) -> str:
    if isinstance(value, str):
        return "" if _encodable(value) else "has half a character in it: write the text anew"
    if value is None or isinstance(value, (bool, int, float)):
        return ""
    return "is not JSON: put it in quotes if it is meant as a text"


def shown(name: str) -> str:
    """A key of the mapping as a message may show it."""
    name = name if name.isprintable() else ascii(name)[1:-1]
    return name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "…"


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{shown(name)}`" for name in names[:5]) + (", …" if len(names) > 5 else "")


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
