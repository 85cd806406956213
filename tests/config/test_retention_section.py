"""``retention.events``: what is received is kept for as long as a query may count it."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from sync.config import Settings

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

DAY = 86_400.0
WINDOW = "event('A').within(500 days).count() >= 1"
EVER = "event('A').count() >= 1"
HEAD = "version: 1\nsources: {shop: 'sqlite:///shop.db'}\n"


def audience(query: str, source: str = "collector", more: str = "") -> str:
    return f'{HEAD}audiences:\n  - {{name: Buyers, query: "{query}", source: {source}{more}}}\n'


@pytest.mark.parametrize(
    ("file", "seconds"),
    [
        (HEAD, 400 * DAY),
        (audience("event('A').within(30 days).count() >= 1"), 400 * DAY),
        (audience(WINDOW), 501 * DAY),
        (audience(WINDOW, more=", full_refresh: 7 days"), 507 * DAY),
        (audience(EVER), math.inf),
        (
            audience("trait('total') > 1") + f'traits:\n  - {{name: Total, source: collector, query: "{EVER[:-5]}"}}\n',
            math.inf,
        ),
        (audience(EVER, source="shop"), 400 * DAY),
        (audience(EVER, more=", enabled: false"), 400 * DAY),
    ],
)
def test_without_a_word_events_are_kept_for_as_long_as_queries_count_them(
    settings_of: Load, file: str, seconds: float
) -> None:
    assert settings_of(file).retention.events == seconds


@pytest.mark.parametrize("given", ["501 days", "forever"])
def test_what_the_file_says_goes_when_it_is_long_enough(settings_of: Load, given: str) -> None:
    settings = settings_of(f"{audience(WINDOW)}retention: {{events: {given}}}\n")
    assert settings.retention.events == (math.inf if given == "forever" else 501 * DAY)


def test_a_time_that_is_shorter_than_a_window_and_a_full_refresh_is_refused(problems_of: Problems) -> None:
    (found,) = problems_of(f"{audience(WINDOW)}retention: {{events: 500 days}}\n")
    assert "retention.events: is too short for 'Buyers', which counts events until its window has passed" in found
    assert "write at least `501 days`, or leave it out" in found


def test_any_time_is_too_short_for_a_query_without_a_window(problems_of: Problems) -> None:
    (found,) = problems_of(f"{audience(EVER)}retention: {{events: 3000 days}}\n")
    assert "which counts events of any age: leave it out, or write `forever`" in found


def test_it_is_a_duration_of_a_day_or_the_word_forever(problems_of: Problems) -> None:
    (found,) = problems_of("version: 1\nretention: {events: always}\n")
    assert "retention.events: must be a duration" in found
    (found,) = problems_of("version: 1\nretention: {events: 2 hours}\n")
    assert "retention.events: must be at least `1 day`" in found
