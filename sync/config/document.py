"""YAML text to plain data and a map from each path to its line.

The tree of nodes is walked here instead of letting the library construct it, because nodes know their lines, because a
key given twice must not pass in silence, and because aliases that multiply (a "bomb") have to be stopped by counting.
"""

from __future__ import annotations

import pathlib
import re
from dataclasses import dataclass, field

import yaml

from sync.config import verbatim
from sync.config.problems import Path, Problems

LARGEST_FILE = 1024 * 1024
"""Bytes; a configuration is written by people."""

_TEXT_AS_KEY = {"tag:yaml.org,2002:str", "tag:yaml.org,2002:bool"}
"""A bare ``on`` is true to YAML; as a key it is meant as the word it is."""

_MOST_NODES = 100_000
_DEEPEST = 50
_QUOTED = re.compile(r"""(['"])(?!<[a-z -]+>\1).{2,}\1""", re.DOTALL)

_PLAINLY = {
    r"character '\t' that cannot start any token": "a tab where only spaces may stand; indent with spaces",
    "',' or '}'": "`,` or `}`",
    "',' or ']'": "`,` or `]`",
}
"""What the library says of the file's form, in words that do not look like a piece of the file."""


class _TooMuch(Exception):
    """The document grows beyond what any configuration needs."""


def read(path: pathlib.Path, problems: Problems) -> object:
    """The document at ``path`` as plain data; fills ``problems.lines``.

    Returns ``None`` after reporting why there is nothing to go on with.
    """
    text = _text(path, problems)
    if text is None:
        return None
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            problems.add((), "is empty: run `engage-sync init` elsewhere and start from what it writes")
            return None
        return _Walk(problems).value(root, ())
    except yaml.YAMLError as error:
        _report(error, text, problems)
    except (RecursionError, _TooMuch):
        problems.add((), "is nested too deeply, or its aliases multiply: write it out plainly")
    return None


def _text(path: pathlib.Path, problems: Problems) -> str | None:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        problems.absent()
        return None
    except OSError as error:
        problems.add((), f"cannot be read ({error.strerror}): mend the path or its permissions")
        return None
    if len(content) > LARGEST_FILE:
        problems.add(
            (), "is larger than 1 MB: it does not look like a configuration, give the right file with --config"
        )
        return None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.add((), "is not UTF-8 text: save it as UTF-8", line=line)
        return None


def _report(error: yaml.YAMLError, text: str, problems: Problems) -> None:
    """Say what the parser said, without the piece of text it quotes: that may be a secret."""
    if isinstance(error, yaml.MarkedYAMLError):
        said = error.problem or error.context or "it cannot be parsed"
        for written, plain in _PLAINLY.items():
            said = said.replace(written, plain)
        said = _QUOTED.sub("a text", said)
        mark = error.problem_mark or error.context_mark
        problems.add((), f"is not valid YAML: {said}{_hint(said)}", line=mark.line + 1 if mark else None)
    else:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else None
        problems.add((), "has a character that YAML does not allow: remove it", line=line)


def _hint(said: str) -> str:
    if "alias" in said:
        return "; put quotes around a text that starts with `*` or `&`"
    if "mapping values" in said:
        return "; put quotes around a text that contains `: `"
    if "'@'" in said:
        return '; put quotes around a key or a text that starts with `@`: `"@path": …`'
    if "but found '{'" in said or "but found '<scalar>'" in said:
        return "; put quotes around the whole of a text that starts with `{{`, `!` or a quote"
    if "cannot start any token" in said:
        return "; put quotes around the text, and indent with spaces"
    return ""


@dataclass(slots=True)
class _Walk:
    """One walk over the nodes; stops when there are too many."""

    problems: Problems
    seen: int = 0
    constructor: yaml.SafeLoader = field(default_factory=lambda: yaml.SafeLoader(""))

    def value(self, node: yaml.Node, path: Path) -> object:
        self.seen += 1
        if self.seen > _MOST_NODES or len(path) > _DEEPEST:
            raise _TooMuch
        self.problems.lines.setdefault(path, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self.mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        return self.scalar(node, path)

    def mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, object]:
        found: dict[str, object] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if key_node.tag == "tag:yaml.org,2002:merge":
                self.problems.add(path, "has a merge key `<<`, which is not read here: write the keys out", line=line)
            elif isinstance(key_node, yaml.MappingNode):
                self.problems.add(path, "has a `{` where a key is due: put quotes around a template", line=line)
            elif key_node.tag not in _TEXT_AS_KEY or not isinstance(key_node.value, str):
                self.problems.add(path, "has a key that is not text: put quotes around the key", line=line)
            else:
                self.member(verbatim.joined(key_node.value), value_node, path, found, line)
        return found

    def member(self, key: str, node: yaml.Node, path: Path, found: dict[str, object], line: int) -> None:
        here = (*path, key)
        if key in found:
            first = self.problems.lines[here]
            self.problems.add(here, f"is given twice, first in line {first}: keep one of them", line=line)
        else:
            self.problems.lines[here] = line
            found[key] = self.value(node, here)

    def scalar(self, node: yaml.Node, path: Path) -> object:
        try:
            if verbatim.is_verbatim(path) and isinstance(node, yaml.ScalarNode):
                return verbatim.scalar(node)
            if node.tag != "tag:yaml.org,2002:binary":
                return self.constructor.construct_object(node)
        except (yaml.YAMLError, ValueError, OverflowError):
            pass  # said below: what the library says may hold the value
        self.problems.add(path, "has a tag or a form that is not read here: put quotes around the text")
        self.problems.unresolved.add(path)
        return None
