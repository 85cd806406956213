"""A statement in lines that people can read: one clause each, with what stands inside something else further in.

Invariant: the words and signs are those of the statement, in their order; only blanks and line breaks between them change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

WIDTH = 110
_LONGEST_QUERY_IN_A_LINE = 60
_STEP = "  "

_TOKEN = re.compile(r"""(?P<blank>\s*)(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|[(),]|[^\s(),'"`]+)""")
_HEADS = (
    ("WITH", "RECURSIVE"),
    ("WITH",),
    ("SELECT",),
    ("FROM",),
    ("LEFT", "OUTER", "JOIN"),
    ("JOIN",),
    ("WHERE",),
    ("GROUP", "BY"),
    ("HAVING",),
    ("ORDER", "BY"),
    ("LIMIT",),
    ("UNION", "ALL"),
    ("UNION",),
    ("PARTITION", "BY"),
    ("ROWS",),
)
"""What begins a line of a query or a window; longer ones first where one begins like another."""

_QUERIES = ("SELECT", "WITH", "PARTITION")
_JOINING = ("OR", "AND", "||")
"""From the loosest to the tightest."""


@dataclass(frozen=True, slots=True)
class _Word:
    """A word, a sign or a text in quotes; ``apart``: a blank stands before it."""

    text: str
    apart: bool


@dataclass(frozen=True, slots=True)
class _Group:
    """What stands in parentheses."""

    inner: tuple[_Node, ...]
    apart: bool


_Node: TypeAlias = _Word | _Group
_Nodes: TypeAlias = Sequence[_Node]


def in_lines(statement: str) -> str:
    """The same statement, to be read."""
    tokens = [_Word(found["text"], bool(found["blank"])) for found in _TOKEN.finditer(statement)]
    return "\n".join(_laid(list(_nested(iter(tokens))), WIDTH))


def _nested(tokens: Iterator[_Word]) -> Iterator[_Node]:
    for token in tokens:
        if token.text == ")":
            return
        yield _Group(tuple(_nested(tokens)), token.apart) if token.text == "(" else token


def _flat(nodes: _Nodes) -> str:
    return "".join(
        (" " if node.apart and place else "") + (node.text if isinstance(node, _Word) else f"({_flat(node.inner)})")
        for place, node in enumerate(nodes)
    )


def _is(node: _Node, *words: str) -> bool:
    return isinstance(node, _Word) and node.text in words


def _laid(nodes: _Nodes, width: int) -> list[str]:
    """The lines of ``nodes``; where there is a choice, as few as fit."""
    whole = _flat(nodes)
    query = bool(nodes) and _is(nodes[0], *_QUERIES)
    if len(whole) <= (_LONGEST_QUERY_IN_A_LINE if query else width):
        return [whole]
    if query:
        return [line for clause in _clauses(nodes) for line in _clause(*clause, width)]
    if len(parts := _parts(nodes, ",")) > 1:
        return _listed(parts, width)
    for word in _JOINING:
        if len(parts := _parts(nodes, word)) > 1:
            return _joined(parts, word, width)
    return _opened(nodes, width) or [whole]


def _clauses(nodes: _Nodes) -> Iterator[tuple[str, _Nodes]]:
    """Each head with what follows it."""
    lengths = [_head(nodes, place) for place in range(len(nodes))]
    begins = [place for place, length in enumerate(lengths) if length]
    for begin, end in zip(begins, [*begins[1:], len(nodes)], strict=True):
        body = begin + lengths[begin]
        yield _flat(nodes[begin:body]), nodes[body:end]


def _head(nodes: _Nodes, place: int) -> int:
    """How many words of a head begin here; ``DISTINCT FROM`` is none, and ``JOIN`` belongs to what stands before it."""
    if place and _is(nodes[place - 1], "DISTINCT", "OUTER"):
        return 0
    for head in _HEADS:
        found = nodes[place : place + len(head)]
        if len(found) == len(head) and all(map(_is, found, head)):
            return len(head)
    return 0


def _clause(head: str, body: _Nodes, width: int) -> list[str]:
    whole = _flat(body)
    defines = head.startswith("WITH")
    if not defines and len(head) + 1 + len(whole) <= width:
        return [f"{head} {whole}" if whole else head]
    parts = _parts(body, ",")
    if defines or len(parts) > 1:
        return [head, *_further_in(_listed(parts, width - len(_STEP)))]
    return _behind(f"{head} ", body, width)


def _behind(begin: str, nodes: _Nodes, width: int) -> list[str]:
    """``nodes`` behind ``begin``: what is joined stands further in, and what is in parentheses is so already."""
    first, *others = _laid(nodes, width - len(begin))
    joined = any(len(_parts(nodes, word)) > 1 for word in _JOINING)
    return [begin + first, *(_further_in(others) if joined else others)]


def _parts(nodes: _Nodes, word: str) -> list[_Nodes]:
    """What ``word`` joins: not the one of ``BETWEEN … AND``, and none inside ``CASE … END``."""
    parts: list[list[_Node]] = [[]]
    cases, between = 0, False
    for node in nodes:
        cases += _is(node, "CASE") - _is(node, "END")
        own = between and _is(node, "AND")
        between = _is(node, "BETWEEN") or (between and not own)
        if _is(node, word) and not cases and not own:
            parts.append([])
        else:
            parts[-1].append(node)
    return list(parts)


def _listed(parts: Sequence[_Nodes], width: int) -> list[str]:
    found: list[str] = []
    for place, part in enumerate(parts):
        lines = _laid(part, width - 1)
        found += [*lines[:-1], lines[-1] + ("," if place < len(parts) - 1 else "")]
    return found


def _joined(parts: Sequence[_Nodes], word: str, width: int) -> list[str]:
    first, *others = parts
    return _behind("", first, width) + [line for part in others for line in _behind(f"{word} ", part, width)]


def _opened(nodes: _Nodes, width: int) -> list[str]:
    """The longest parentheses, or the longest ``CASE``, opened; none where there are neither."""
    spans = [*_groups(nodes), *_cases(nodes)]
    if not spans:
        return []
    begin, end = max(spans, key=lambda span: len(_flat(nodes[span[0] : span[1]])))
    found, after = nodes[begin], nodes[end:]
    before = _laid(nodes[:begin], width) if begin else [""]
    if isinstance(found, _Group):
        inner, opening, closing = _laid(found.inner, width - len(_STEP)), "(", ")"
    else:
        of, arms = _of_case(nodes[begin:end])
        inner, opening, closing = _arms(arms, width - len(_STEP)), of, "END"
    opening = f" {opening}" if found.apart and begin else opening
    closing += " " if after and after[0].apart else ""
    rest = _behind(closing, after, width) if after else [closing]
    return [*before[:-1], before[-1] + opening, *_further_in(inner), *rest]


def _groups(nodes: _Nodes) -> Iterator[tuple[int, int]]:
    for place, node in enumerate(nodes):
        if isinstance(node, _Group) and node.inner:
            yield place, place + 1


def _cases(nodes: _Nodes) -> Iterator[tuple[int, int]]:
    """From each outermost ``CASE`` to behind its ``END``."""
    depth, begin = 0, 0
    for place, node in enumerate(nodes):
        if _is(node, "CASE"):
            begin = begin if depth else place
            depth += 1
        elif _is(node, "END"):
            depth -= 1
            if not depth:
                yield begin, place + 1


def _of_case(nodes: _Nodes) -> tuple[str, _Nodes]:
    """``CASE`` with what it is about, if anything, and its arms."""
    first, *others = _split(nodes[1:-1], "WHEN")
    if _is(first[0], "WHEN"):
        return "CASE", nodes[1:-1]
    return f"CASE {_flat(first)}", [node for arm in others for node in arm]


def _arms(nodes: _Nodes, width: int) -> list[str]:
    """What stands between ``CASE`` and ``END``: each arm in a line, or in two that begin with ``WHEN`` and ``THEN``."""
    found: list[str] = []
    for arm in _split(nodes, "WHEN", "ELSE"):
        whole = _flat(arm)
        if len(whole) <= width:
            found.append(whole)
        else:
            for half in _split(arm, "THEN"):
                found += _behind(f"{_flat(half[:1])} ", half[1:], width) if half[1:] else [_flat(half)]
    return found


def _split(nodes: _Nodes, *words: str) -> list[_Nodes]:
    """Pieces that begin with one of ``words``, not counting what is inside another ``CASE``; there may be one before."""
    parts: list[list[_Node]] = [[]]
    depth = 0
    for node in nodes:
        depth += _is(node, "CASE")
        if not depth and _is(node, *words):
            parts.append([])
        depth -= _is(node, "END")
        parts[-1].append(node)
    return [part for part in parts if part]


def _further_in(lines: Sequence[str]) -> list[str]:
    return [_STEP + line for line in lines]
