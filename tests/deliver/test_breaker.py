from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest

from sync.deliver.breaker import (
    FIRST_FAULT_DELAY,
    LONGEST_DELAY,
    LONGEST_FAULT_DELAY,
    PROBE_PATIENCE,
    Breaker,
    State,
    Transition,
)
from sync.model.outcome import Outcome, Verdict

ACCEPTED = Outcome(Verdict.ACCEPTED, 200)
REFUSED = Outcome(Verdict.REFUSED, 400, "bad")
FAULT = Outcome(Verdict.FAULT, 401, "unauthorized")
UNKNOWN = Outcome(Verdict.UNKNOWN, None, "ReadError")
NOT_SENT = Outcome(Verdict.NOT_SENT, None, "ConnectError: refused")


class FakeClock:
    seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2024, 5, 17, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def breaker(clock: FakeClock) -> Breaker:
    return Breaker(clock, Random(1))


def feed(breaker: Breaker, *outcomes: Outcome) -> Transition | None:
    """Record all; only the last may have changed anything."""
    *before, last = outcomes
    assert [breaker.record(outcome) for outcome in before] == [None] * len(before)
    return breaker.record(last)


def let_probe(breaker: Breaker, clock: FakeClock) -> None:
    assert breaker.retry_at is not None
    clock.seconds = max(clock.seconds, breaker.retry_at)
    assert breaker.may_send()
    assert breaker.state is State.HALF_OPEN


def test_a_new_breaker_is_closed(breaker: Breaker) -> None:
    assert (breaker.state, breaker.reason, breaker.retry_at, breaker.opened_by_fault) == (State.CLOSED, "", None, False)
    assert breaker.may_send()


@pytest.mark.parametrize("outcome", [UNKNOWN, NOT_SENT, Outcome(Verdict.NOT_APPLIED, 503)])
def test_twenty_failures_in_a_row_open_it_whatever_went_before(breaker: Breaker, outcome: Outcome) -> None:
    feed(breaker, *[ACCEPTED] * 100)
    opened = feed(breaker, *[outcome] * 20)
    assert opened is not None
    assert (opened.to, opened.fault, opened.refusals) == (State.OPEN, False, 0)
    assert opened.reason.startswith("20 failures in a row")
    assert (breaker.state, breaker.reason, breaker.opened_by_fault) == (State.OPEN, opened.reason, False)
    assert not breaker.may_send()


def test_half_of_the_last_hundred_opens_it_and_less_does_not(breaker: Breaker) -> None:
    feed(breaker, *[ACCEPTED] * 200)
    assert feed(breaker, *[ACCEPTED, UNKNOWN] * 49) is None  # 49 of the last 100
    assert feed(breaker, UNKNOWN) == Transition(State.OPEN, "50 of the last 100 exchanges failed")


def test_a_share_means_nothing_before_twenty_exchanges(breaker: Breaker) -> None:
    assert feed(breaker, *[UNKNOWN, ACCEPTED] * 9, UNKNOWN) is None
    assert feed(breaker, UNKNOWN) == Transition(State.OPEN, "11 of the last 20 exchanges failed")


def test_refusals_count_as_neither(breaker: Breaker) -> None:
    assert feed(breaker, *[UNKNOWN] * 10, *[REFUSED] * 19) is None  # 10 failures of 10: too few to mean anything
    assert feed(breaker, *[UNKNOWN] * 9) is None
    opened = breaker.record(UNKNOWN)
    assert opened is not None  # a refusal did not end the row of failures either
    assert opened.reason.startswith("20 failures in a row")


def test_a_fault_opens_at_once_and_stays_named_until_it_closes(breaker: Breaker, clock: FakeClock) -> None:
    assert breaker.record(FAULT) == Transition(State.OPEN, "401 unauthorized", fault=True)
    assert breaker.record(FAULT) is None
    let_probe(breaker, clock)
    breaker.record(UNKNOWN)
    assert (breaker.state, breaker.opened_by_fault, breaker.reason) == (State.OPEN, True, "401 unauthorized")
    let_probe(breaker, clock)
    assert breaker.record(ACCEPTED) == Transition(State.CLOSED, "a probe was accepted")
    assert (breaker.opened_by_fault, breaker.reason) == (False, "")


def test_a_fault_while_open_names_itself_without_a_longer_delay(breaker: Breaker) -> None:
    feed(breaker, *[UNKNOWN] * 20)
    retry_at = breaker.retry_at
    assert breaker.record(FAULT) == Transition(State.OPEN, "401 unauthorized", fault=True)
    assert (breaker.retry_at, breaker.opened_by_fault) == (retry_at, True)


def check_delays(breaker: Breaker, clock: FakeClock, first: float, longest: float) -> None:
    for doubling in range(10):
        assert breaker.retry_at is not None
        delay = breaker.retry_at - clock.seconds
        wanted = min(first * 2.0**doubling, longest)
        assert 0.8 * wanted <= delay <= min(1.2 * wanted, longest)
        let_probe(breaker, clock)
        breaker.record(UNKNOWN)


def test_delays_double_to_a_minute_with_a_fifth_of_jitter(breaker: Breaker, clock: FakeClock) -> None:
    feed(breaker, *[UNKNOWN] * 20)
    check_delays(breaker, clock, 1.0, LONGEST_DELAY)


def test_after_a_fault_delays_double_from_a_quarter_of_a_minute_to_five_minutes(
    breaker: Breaker, clock: FakeClock
) -> None:
    feed(breaker, *[UNKNOWN] * 20)
    for _ in range(5):
        let_probe(breaker, clock)
        breaker.record(UNKNOWN)
    let_probe(breaker, clock)
    breaker.record(FAULT)  # what went before was another trouble
    check_delays(breaker, clock, FIRST_FAULT_DELAY, LONGEST_FAULT_DELAY)


def test_one_probe_at_a_time(breaker: Breaker, clock: FakeClock) -> None:
    breaker.record(FAULT)
    let_probe(breaker, clock)
    assert not breaker.may_send()
    breaker.abandon()
    assert breaker.may_send()
    assert not breaker.may_send()
    clock.seconds += PROBE_PATIENCE  # a probe that was lost blocks nothing for ever
    assert breaker.may_send()


def test_closing_forgets_the_failures_and_the_delay(breaker: Breaker, clock: FakeClock) -> None:
    feed(breaker, *[UNKNOWN] * 20)
    let_probe(breaker, clock)
    breaker.record(UNKNOWN)
    let_probe(breaker, clock)
    breaker.record(ACCEPTED)
    assert feed(breaker, *[UNKNOWN] * 19) is None
    assert feed(breaker, UNKNOWN) is not None
    assert breaker.retry_at is not None
    assert breaker.retry_at - clock.seconds <= 1.2


def test_twenty_refusals_in_a_row_are_the_destinations_fault(breaker: Breaker, clock: FakeClock) -> None:
    assert feed(breaker, *[REFUSED] * 19, UNKNOWN) is None
    assert not breaker.doubts_refusals
    opened = breaker.record(REFUSED)
    assert opened == Transition(State.OPEN, "20 users refused in a row, none accepted", fault=True, refusals=20)
    assert (breaker.refusals_in_a_row, breaker.doubts_refusals, breaker.opened_by_fault) == (20, True, True)
    assert breaker.record(REFUSED) is None  # was under way; the caller knows by doubts_refusals
    let_probe(breaker, clock)
    again = breaker.record(REFUSED)
    assert again is not None
    assert (again.to, again.fault, again.refusals) == (State.OPEN, True, 0)
    let_probe(breaker, clock)
    breaker.record(ACCEPTED)
    assert (breaker.state, breaker.refusals_in_a_row, breaker.doubts_refusals) == (State.CLOSED, 0, False)


def test_a_success_between_refusals_starts_the_count_again(breaker: Breaker) -> None:
    assert feed(breaker, *[REFUSED] * 19, ACCEPTED, *[REFUSED] * 19) is None


def test_the_twentieth_refusal_is_told_even_while_open(breaker: Breaker) -> None:
    feed(breaker, *[REFUSED] * 19, *[UNKNOWN] * 20)
    told = breaker.record(REFUSED)
    assert told is not None
    assert (told.fault, told.refusals) == (True, 20)


def test_a_probe_that_is_refused_for_its_user_shows_that_the_destination_is_back(
    breaker: Breaker, clock: FakeClock
) -> None:
    feed(breaker, *[UNKNOWN] * 20)
    let_probe(breaker, clock)
    assert breaker.record(REFUSED) == Transition(State.CLOSED, "a probe was answered")
