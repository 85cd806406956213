"""What a configuration says, as a short text by which daemons know whether they follow the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import orjson

_OF_ONE_HOST = ("store", "web", "collector")
"""Sections that may differ from host to host without the daemons doing different things."""


def fingerprint(document: Mapping[str, object]) -> str:
    """Changes when the file says something else; comments, layout and the values of variables do not count."""
    said = {name: section for name, section in document.items() if name not in _OF_ONE_HOST}
    return hashlib.sha256(
        orjson.dumps(said, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
    ).hexdigest()[:16]
