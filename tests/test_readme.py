"""The README's configuration runs as it stands, on a shop with customers who order more than once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.config import load
from sync.model.run import RunKind
from sync.refresh.run import refresh
from sync.source.connection import Source
from sync.store.engine import Database
from tests.shop import Shop

README = Path(__file__).parents[1] / "README.md"
ON_SQLITE = ("ordered_at > :as_of - interval '30 days'", "ordered_at > datetime(:as_of, '-30 days')")
ENVIRONMENT = {"SHOP_DATABASE_URL": "sqlite:///shop.db", "PUSHWOOSH_API_KEY": "k", "PUSHWOOSH_APP_CODE": "A"}


def _shown() -> str:
    found = re.search(r"```yaml\n(# sync\.yaml.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_the_readmes_definitions_run_on_both_databases(
    engine: str, request: pytest.FixtureRequest, sqlite_database: Database, tmp_path: Path
) -> None:
    shop: Shop = request.getfixturevalue(f"{engine}_shop")
    kind = "timestamptz" if engine == "postgresql" else "text"
    shop.run(f"CREATE TABLE orders (customer_id integer, ordered_at {kind}, total numeric)")
    orders = [(1, "2026-03-01 10:00:00", 5), (1, "2026-03-02 10:00:00", 7.5), (2, "2026-01-01 10:00:00", 1)]
    shop.run("INSERT INTO orders VALUES (?, ?, ?)", orders)

    shown = _shown()
    assert ON_SQLITE[1] in shown  # the comment tells how to write it there
    config = tmp_path / "sync.yaml"
    config.write_text(shown.replace(*ON_SQLITE) if engine == "sqlite" else shown, encoding="utf-8")
    counts = [
        refresh(
            sqlite_database,
            Source("shop", shop.url, statement_timeout=30),
            definition,
            kind=RunKind.DELTA,
            as_of=datetime(2026, 3, 3, tzinfo=UTC),
        ).counts.members
        for definition in load(config, ENVIRONMENT).definitions
    ]
    assert counts == [1, 2]
