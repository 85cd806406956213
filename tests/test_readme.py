"""The README's configuration runs as it stands, on a shop with customers who order more than once."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sync.config import load
from sync.daemon.app import App
from sync.model.run import RunKind
from sync.refresh.run import refresh
from sync.store.engine import Database
from tests.shop import Shop

README = Path(__file__).parents[1] / "README.md"
ENVIRONMENT = {"PUSHWOOSH_API_KEY": "k", "PUSHWOOSH_APP_CODE": "A"}


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

    config = tmp_path / "sync.yaml"
    config.write_text(_shown(), encoding="utf-8")
    app = App(load(config, {**ENVIRONMENT, "SHOP_DATABASE_URL": shop.url}))
    march = datetime(2026, 3, 3, tzinfo=UTC)
    counts = {
        each.key: refresh(sqlite_database, app.source("shop"), each, kind=RunKind.DELTA, as_of=march).counts.members
        for each in app.settings.definitions
    }
    assert counts == {"order_completed_last_30days": 1, "ordered_twice": 1, "total_spend": 2}
