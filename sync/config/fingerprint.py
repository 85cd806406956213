"""What a configuration says, as a short text by which daemons know whether they follow the same one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

_OF_ONE_HOST = ("store", "web", "collector")
"""Sections that may differ from host to host without the daemons doing different things."""


def fingerprint(document: Mapping[str, object]) -> str:
    """Changes when the file says something else; comments, layout and the values of variables do not count."""
    said = {name: section for name, section in document.items() if name not in _OF_ONE_HOST}
    # Whatever the file says, wrong or not: lone surrogates, integers of any length.
    text = json.dumps(said, default=str, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
