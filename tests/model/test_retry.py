from __future__ import annotations

from random import Random

import pytest

from sync.model.delivery import DeliverySettings
from sync.model.retry import exhausted, next_delay

SETTINGS = DeliverySettings()


class Middle(Random):
    """No jitter: always the middle of the range."""

    def uniform(self, a: float, b: float) -> float:
        return (a + b) / 2


def test_delays_double_from_one_second_up_to_the_longest() -> None:
    delays = [next_delay(attempts, SETTINGS, Middle()) for attempts in range(1, 13)]
    assert delays == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_jitter_stays_within_a_fifth_and_under_the_longest_delay() -> None:
    random = Random(7)
    fourth = [next_delay(4, SETTINGS, random) for _ in range(500)]
    assert 6.4 <= min(fourth) < 6.6
    assert 9.4 < max(fourth) <= 9.6
    assert max(next_delay(30, SETTINGS, random) for _ in range(500)) <= SETTINGS.longest_delay


@pytest.mark.parametrize("attempts", [0, 1])
def test_the_first_delay_is_one_second(attempts: int) -> None:
    assert next_delay(attempts, SETTINGS, Middle()) == 1


def test_any_number_of_attempts_has_a_delay() -> None:
    assert next_delay(10**9, SETTINGS, Middle()) == SETTINGS.longest_delay


def test_retry_after_is_a_lower_bound_even_beyond_the_longest_delay() -> None:
    assert next_delay(1, SETTINGS, Middle(), retry_after=30) == 30
    assert next_delay(8, SETTINGS, Middle(), retry_after=30) == 128
    assert next_delay(1, SETTINGS, Middle(), retry_after=3600) == 3600


@pytest.mark.parametrize(
    ("attempts", "failing_for", "over"),
    [(8, 86_400, True), (7, 86_400, False), (8, 86_399, False), (1, 10**9, False), (10**6, 1, False)],
)
def test_only_both_limits_together_end_the_attempts(attempts: int, failing_for: float, over: bool) -> None:
    assert exhausted(attempts, failing_for, SETTINGS) is over
