"""What a single value of a mapping becomes."""

from __future__ import annotations

from sync.mapping.compiler import compile_mapping
from sync.mapping.values import MISSING


def made(value: object, event: dict[str, object] | None = None) -> object:
    """``value`` mapped on ``event``; ``MISSING`` when nothing comes of it."""
    output = compile_mapping({"made": value})(event or {})
    assert isinstance(output, dict)
    return output.get("made", MISSING)
