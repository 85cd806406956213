"""The golden cases: each rule and each example of the language, worked out by hand.

A line of ``golden.jsonl`` has the ``rule`` that it is about, the ``input`` that `query eval` reads, and the ``output`` that
it must print; an output of ``{"error": {}}`` is any error. Where a rule is about references, ``input.definitions`` has the
queries of other definitions by key.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("golden.jsonl")


@dataclass(frozen=True, slots=True)
class Golden:
    """One line."""

    rule: str
    input: dict[str, object]
    output: dict[str, object]


def golden_cases() -> list[Golden]:
    """All of them, in order."""
    return [Golden(**json.loads(line)) for line in _FILE.read_text("utf-8").splitlines()]
