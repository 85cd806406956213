"""``${VAR}``, ``${VAR:-default}`` and ``${file:/path}`` in any string of the document.

``$${`` stands for a plain ``${``. Values are filled in once and are not read again for further ``${``. What a variable
or a file holds is never part of a problem; the name of the variable is. Below ``mappings`` nothing is filled in.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Mapping

from sync.config.problems import Path, Problems
from sync.config.verbatim import is_verbatim

LARGEST_SECRET = 64 * 1024
"""Bytes read from a ``${file:…}``; more than that is the wrong file."""

_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<body>[^{}]*)\}|(?P<open>\$\{)")
_VARIABLE = re.compile(r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<fallback>:-(?P<default>.*))?", re.DOTALL)


class _Unresolved(Exception):
    """A reference that cannot be filled in; its text is the sentence for the problem."""


def fill(data: object, env: Mapping[str, str], problems: Problems, path: Path = ()) -> object:
    """``data`` with every reference in its strings replaced; a string that cannot be filled in is marked unresolved."""
    if is_verbatim(path):
        return data
    if isinstance(data, dict):
        return {key: fill(value, env, problems, (*path, key)) for key, value in data.items()}
    if isinstance(data, list):
        return [fill(value, env, problems, (*path, index)) for index, value in enumerate(data)]
    if isinstance(data, str) and "${" in data:
        return _filled(data, env, problems, path)
    return data


def _filled(text: str, env: Mapping[str, str], problems: Problems, path: Path) -> str:
    problems.interpolated.add(path)
    failures: list[str] = []

    def replace(match: re.Match[str]) -> str:
        try:
            return _resolve(match, env)
        except _Unresolved as failure:
            failures.append(str(failure))
            return ""

    filled = _REFERENCE.sub(replace, text)
    for failure in failures:
        problems.add(path, failure)
    if failures:
        problems.unresolved.add(path)
    return filled


def _resolve(match: re.Match[str], env: Mapping[str, str]) -> str:
    if match["open"]:
        raise _Unresolved("has a `${` without its `}`: close it, or write `$${` for a plain `${`")
    body = match["body"]
    if body is None:
        return "${"
    if body.startswith("file:"):
        return _file(body.removeprefix("file:"))
    variable = _VARIABLE.fullmatch(body)
    if variable is None:
        raise _Unresolved("has a `${…}` that names no variable: write `${VAR}`, `${VAR:-default}` or `${file:/path}`")
    value = env.get(variable["name"])
    if variable["fallback"] is not None:
        return value or variable["default"]
    if value is None:
        raise _Unresolved(
            f"the variable {variable['name']} is not set: set it, or give `${{{variable['name']}:-default}}`"
        )
    return value


def _file(name: str) -> str:
    """The text of a file without its last line's end."""
    try:
        with pathlib.Path(name).open("rb") as file:
            content = file.read(LARGEST_SECRET + 1)
        if len(content) > LARGEST_SECRET:
            raise _Unresolved("the file it names is larger than 64 KB: name the file that holds just this value")
        return content.decode("utf-8").removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise _Unresolved(
            f"the file it names cannot be read ({error.strerror}): mend the path or its permissions"
        ) from error
    except ValueError as error:  # not UTF-8, or a path with a NUL
        raise _Unresolved("the file it names does not hold UTF-8 text: save the value as plain text") from error
