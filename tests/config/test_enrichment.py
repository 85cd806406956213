"""``with:`` columns: what wins, what would be lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.config import load
from sync.errors import ConfigurationError

_HEAD = """\
version: 1
sources: {shop: {url: "sqlite:///shop.db"}}
audiences:
"""


def _load(tmp_path: Path, *audiences: str):  # type: ignore[no-untyped-def]
    path = tmp_path / "sync.yaml"
    path.write_text(_HEAD + "".join(f"  - {each}\n" for each in audiences))
    return load(path, {})


def test_a_definitions_key_wins_over_an_enrichment_of_that_name(tmp_path: Path) -> None:
    settings = _load(tmp_path, "{name: VIP, sql: x, with: [email, lapsed, vip]}", "{name: Lapsed, sql: x}")
    assert settings.definition("vip").enrichment == ("email",)


@pytest.mark.parametrize("columns", ["country", "[email, timezone]"])
def test_an_enrichment_that_would_be_lost_is_refused(tmp_path: Path, columns: str) -> None:
    with pytest.raises(ConfigurationError, match=r"audiences\[0\]\.with.*give it another name"):
        _load(tmp_path, f"{{name: VIP, sql: x, with: {columns}}}")
