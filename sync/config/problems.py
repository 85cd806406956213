"""What is wrong with a configuration, collected so that one reading reports everything.

Invariant: a problem never repeats a value of the file, because any value may be a secret, or resolved to one. What may
be named are keys of mappings, names of variables, names of definitions that were written out in the file, and of what
stands below ``mappings`` and in a ``query`` that was written out, where nothing secret belongs, a mapping's name and the
place where its trigger or the query goes wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeAlias

Path: TypeAlias = tuple[str | int, ...]
"""Where a value stands in the document: keys of mappings and indexes of lists."""

_LONGEST_STEP = 60


@dataclass(slots=True)
class Problems:
    """Problems of one file, each a sentence with file, line, dotted path, what is wrong and what to do.

    ``lines`` maps the paths that stand in the document to their lines (from 1). A value at an ``unresolved`` path could
    not be filled in (said once, when that happened), so later complaints about it are dropped as noise. Values at
    ``interpolated`` paths came from outside the file. ``labels`` are said beside every path that begins with theirs.
    """

    file: str
    lines: dict[Path, int] = field(default_factory=dict)
    unresolved: set[Path] = field(default_factory=set)
    interpolated: set[Path] = field(default_factory=set)
    labels: dict[Path, str] = field(default_factory=dict)
    _found: list[tuple[int, Path, str]] = field(default_factory=list)
    _absent: bool = False

    def __bool__(self) -> bool:
        return self._absent or bool(self._found)

    def add(self, path: Path, sentence: str, *, line: int | None = None) -> None:
        """Report ``sentence`` about ``path``; the line is that of its nearest part that stands in the file."""
        if self.is_unresolved(path):
            return
        self._found.append((line or self.line(path) or 0, path, sentence))

    def absent(self) -> None:
        """Report that there is no such file."""
        self._absent = True

    def sentences(self) -> list[str]:
        """Every problem once, in the order of the file's lines."""
        if self._absent:
            return [f"{self.file} does not exist: run `engage-sync init` or give --config"]
        found = sorted(self._found, key=lambda each: each[0])
        return list(dict.fromkeys(f"{self._place(line, path)} {sentence}" for line, path, sentence in found))

    def _place(self, line: int, path: Path) -> str:
        place = f"{self.file}:{line}:" if line else f"{self.file}:"
        if not path:
            return place
        labels = [f" ({self.labels[path[:length]]})" for length in range(len(path) + 1) if path[:length] in self.labels]
        return f"{place} {self.dotted(path)}{''.join(labels)}:"

    def line(self, path: Path) -> int | None:
        """The line of ``path``, else of its nearest ancestor that stands in the file."""
        for length in range(len(path), 0, -1):
            if line := self.lines.get(path[:length]):
                return line
        return None

    def is_unresolved(self, path: Path) -> bool:
        """Whether the value at ``path``, or one around it, could not be filled in."""
        return any(path[:length] in self.unresolved for length in range(len(path) + 1))

    def may_show(self, path: Path) -> bool:
        """Whether the value at ``path`` was written out in the file (and is not from outside it)."""
        return path in self.lines and path not in self.interpolated

    @staticmethod
    def dotted(path: Path) -> str:
        """``("audiences", 1, "sql")`` as ``audiences[1].sql``."""
        text = ""
        for step in path:
            if isinstance(step, int):
                text += f"[{step}]"
            else:
                text += ("." if text else "") + printable(step)
        return text


def did_you_mean(word: str, known: list[str]) -> str:
    """``; did you mean `x`?`` when a known word is close, else an empty text. Never repeats ``word``."""
    close = get_close_matches(word, known, n=1, cutoff=0.6)
    return f"; did you mean `{close[0]}`?" if close else ""


def listed(words: list[str]) -> str:
    """Words of our own or keys of the file as ``a, b, c``."""
    return ", ".join(f"`{printable(word)}`" for word in words)


def printable(step: str) -> str:
    """A key or a name, short enough to be read; it may hold anything, terminal escapes included."""
    shown = step if step.isprintable() else ascii(step)[1:-1]
    return shown if len(shown) <= _LONGEST_STEP else shown[:_LONGEST_STEP] + "…"
