"""A source that vanishes without a word is given up: a refresh that waits for ever would keep its tick for ever."""

from __future__ import annotations

from sync.source.connection import Source
from tests.shop import Shop


def opened_with(source: Source) -> dict[str, str]:
    with source.read() as connection:
        found: dict[str, str] = connection.connection.driver_connection.info.get_parameters()  # type: ignore[union-attr]
        return found


def test_a_source_that_vanishes_is_given_up_after_half_a_minute(postgresql_shop: Shop) -> None:
    found = opened_with(postgresql_shop.source)
    assert int(found["connect_timeout"]) <= 10
    assert int(found["keepalives_idle"]) + int(found["keepalives_interval"]) * int(found["keepalives_count"]) <= 30
    assert 0 < int(found["tcp_user_timeout"]) <= 30_000


def test_what_its_url_says_of_it_wins(postgresql_shop: Shop) -> None:
    found = opened_with(Source("shop", f"{postgresql_shop.url}&tcp_user_timeout=5000", statement_timeout=30))
    assert found["tcp_user_timeout"] == "5000"
