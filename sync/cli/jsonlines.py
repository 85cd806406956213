"""Lines of JSON as somebody else writes them, read while they come, in little memory."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import BinaryIO

import orjson

AT_ONCE = 1 << 20
"""Bytes that are read at once, at most; of a pipe, whatever is in it."""

LONGEST = 1 << 20
"""Bytes of a line; a longer one is passed over, and told as `None`."""

Lines = list[tuple[int, bytes | None]]
"""Numbers, from 1, and what stands in the lines."""


def read_json(text: bytes) -> object:
    """A line's JSON. orjson knows no number beyond a double and no half of a surrogate pair; others do.

    Raises `ValueError` or `RecursionError`.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return json.loads(text, parse_constant=_no_number)


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def portions(stream: BinaryIO) -> Iterator[Lines]:
    """The lines of ``stream`` in portions: those that are there, without waiting for more. Blank ones are left out."""
    number, rest, too_long = 0, b"", False
    while chunk := stream.read1(AT_ONCE):  # type: ignore[attr-defined]  # every buffered stream has it
        *whole, rest = (rest + chunk).split(b"\n")
        found: Lines = []
        for line in whole:
            number += 1
            found.append((number, None if too_long else line))
            too_long = False
        if len(rest) > LONGEST:
            rest, too_long = b"", True
        yield _given(found)
    if rest or too_long:
        yield _given([(number + 1, None if too_long else rest)])


def _given(lines: Lines) -> Lines:
    if lines and lines[0][0] == 1 and (first := lines[0][1]) is not None:
        lines[0] = 1, first.removeprefix(b"\xef\xbb\xbf")
    return [(number, line) for number, line in lines if line is None or line.strip()]
