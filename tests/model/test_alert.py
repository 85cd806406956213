"""What is an alert, when it counts as changed, and what is said of it."""

from __future__ import annotations

from datetime import UTC, datetime
from random import Random

import pytest

from sync.deliver.breaker import FEWEST, Breaker, Transition
from sync.model.alert import (
    AlertKind,
    AlertState,
    Finding,
    Observed,
    Subject,
    Watch,
    changes,
    judge,
    named,
    own_words,
)
from sync.model.outcome import Outcome, Verdict
from tests.moving_clock import MovingClock

NOTHING = Observed(breakers={}, parked={}, failed={}, held={})
EVERYTHING = Watch(frozenset(AlertKind), parked_above=0)
DOWN = Subject(AlertKind.DESTINATION_DOWN, "pushwoosh")
FAILING = Subject(AlertKind.DEFINITION_FAILING, "vip")
HELD = Subject(AlertKind.GUARD_HELD, "vip")
PARKED = Subject(AlertKind.PARKED_ABOVE, "pushwoosh")
UNDELETED = Subject(AlertKind.DELETION_REFUSED, "pushwoosh")
BROKEN = Subject(AlertKind.REFRESH_BROKEN, "vip")
AN_INSTANT = datetime(2026, 11, 21, 10, 15, tzinfo=UTC)


def judged(observed: Observed, watch: Watch = EVERYTHING) -> dict[Subject, Finding]:
    return judge(observed, watch, destinations=["pushwoosh"], definitions=["vip"])


def test_where_nothing_is_wrong_nothing_fires() -> None:
    found = judged(NOTHING)
    assert set(found) == {DOWN, FAILING, HELD, PARKED, UNDELETED, BROKEN}
    assert {each.state for each in found.values()} == {AlertState.RESOLVED}


@pytest.mark.parametrize(
    ("observed", "subject", "detail"),
    [
        (
            Observed({}, {}, {}, {}, missed={"vip": 1}),
            BROKEN,
            "had missed 1 change and is refreshed in full until somebody acknowledges it",
        ),
        (
            Observed({"pushwoosh": ("open", "401 unauthorized")}, {}, {}, {}),
            DOWN,
            "is down (401): only a probe is sent now and then, what is owed stays owed",
        ),
        (Observed({}, {"pushwoosh": 1}, {}, {}), PARKED, "has 1 parked user, and the limit is 0"),
        (Observed({}, {"pushwoosh": 2}, {}, {}), PARKED, "has 2 parked users, and the limit is 0"),
        (Observed({}, {}, {}, {}, {"pushwoosh": 1}), PARKED, "has 1 parked event, and the limit is 0"),
        (
            Observed({}, {"pushwoosh": 1}, {}, {}, {"pushwoosh": 40}),
            PARKED,
            "has 1 parked user and 40 parked events, and the limit is 0",
        ),
        (
            Observed({}, {}, {}, {}, refused_deletions={"pushwoosh": 1}),
            UNDELETED,
            "refuses to delete 1 user who was forgotten, see `engage-sync status`",
        ),
        (
            Observed({}, {}, {"vip": AN_INSTANT}, {}),
            FAILING,
            "failed: its run for 2026-11-21 10:15:00 UTC is not tried again, see `engage-sync runs vip`",
        ),
        (
            Observed({}, {}, {}, {"vip": 612}),
            HELD,
            "holds 612 exits back until somebody decides, see `engage-sync plan vip`",
        ),
    ],
)
def test_each_trouble_fires_its_alert_and_no_other(observed: Observed, subject: Subject, detail: str) -> None:
    found = judged(observed)
    assert found.pop(subject) == Finding(AlertState.FIRING, detail)
    assert {each.state for each in found.values()} == {AlertState.RESOLVED}


@pytest.mark.parametrize(
    ("users", "events", "state"),
    [
        (100, 0, AlertState.RESOLVED),
        (101, 0, AlertState.FIRING),
        (0, 101, AlertState.FIRING),
        (60, 40, AlertState.RESOLVED),
        (60, 41, AlertState.FIRING),
    ],
)
def test_parked_fires_above_its_limit_and_not_at_it(users: int, events: int, state: AlertState) -> None:
    observed = Observed({}, {"pushwoosh": users}, {}, {}, {"pushwoosh": events})
    assert judged(observed, Watch(frozenset(AlertKind), parked_above=100))[PARKED].state is state


def test_only_what_is_asked_for_is_watched() -> None:
    assert set(judged(NOTHING, Watch(frozenset({AlertKind.GUARD_HELD}), 0))) == {HELD}


def test_what_has_left_the_configuration_is_not_watched() -> None:
    observed = Observed({"old": ("open", "")}, {"old": 5}, {"gone": AN_INSTANT}, {"gone": 3})
    assert {each.name for each in judged(observed)} == {"pushwoosh", "vip"}


def test_only_changes_are_told() -> None:
    wrong = judged(Observed({"pushwoosh": ("open", "503 busy")}, {}, {}, {}))
    assert [(subject, state) for subject, state, _ in changes((), wrong)] == [(DOWN, AlertState.FIRING)]
    assert list(changes({DOWN}, wrong)) == []
    assert list(changes({DOWN}, judged(NOTHING))) == [(DOWN, AlertState.RESOLVED, "takes requests again")]
    assert list(changes((), judged(NOTHING))) == []


def test_while_a_breaker_probes_the_alert_stays_as_it_was() -> None:
    probing = judged(Observed({"pushwoosh": ("half_open", "")}, {}, {}, {}))
    assert list(changes({DOWN}, probing)) == []
    assert list(changes((), probing)) == []


def test_an_alert_that_is_not_watched_any_more_is_resolved() -> None:
    old = Subject(AlertKind.DESTINATION_DOWN, "old")
    assert list(changes({old}, judged(NOTHING))) == [
        (old, AlertState.RESOLVED, "is not watched any more: the configuration changed")
    ]


@pytest.mark.parametrize("subject", [DOWN, FAILING, HELD, PARKED])
def test_a_name_in_the_store_tells_receiver_and_subject(subject: Subject) -> None:
    assert named(subject.named_for("0123456789ab")) == ("0123456789ab", subject)


SAID = "u-1001@example.com has total_spend 4711.50"
OUTCOMES = {
    "401": Outcome(Verdict.FAULT, 401, SAID),
    "503": Outcome(Verdict.UNKNOWN, 503, SAID),
    "ConnectError": Outcome(Verdict.NOT_SENT, detail="ConnectError: 10.0.0.1:443: Connection refused"),
    "ReadError": Outcome(Verdict.UNKNOWN, detail="ReadError before the answer was complete"),
    "no whole answer within 10 s": Outcome(Verdict.UNKNOWN, detail="no whole answer within 10 s"),
    "no connection within 0.5 s": Outcome(Verdict.NOT_SENT, detail="no connection within 0.5 s"),
}


def opened(breaker: Breaker, outcome: Outcome) -> Transition:
    """Record ``outcome`` until the breaker opens by it."""
    for _ in range(FEWEST):
        if (moved := breaker.record(outcome)) is not None:
            return moved
    raise AssertionError("it did not open")


@pytest.mark.parametrize("words", OUTCOMES)
def test_a_breakers_reason_is_told_in_our_own_words_only(words: str) -> None:
    outcome, clock = OUTCOMES[words], MovingClock()
    breaker = Breaker(clock, Random(1))
    first = own_words(opened(breaker, outcome).reason)
    assert first == (words if outcome.verdict is Verdict.FAULT else f"20 failures in a row, the last: {words}")
    clock.advance(120)
    assert breaker.may_send()
    assert own_words(opened(breaker, outcome).reason) == (
        words if outcome.status == 401 else f"a probe failed: {words}"
    )


def test_shares_and_refusals_are_told_as_they_are() -> None:
    breaker = Breaker(MovingClock(), Random(1))
    for _ in range(10):
        breaker.record(Outcome(Verdict.ACCEPTED, 200))
    for _ in range(9):
        breaker.record(Outcome(Verdict.UNKNOWN, 500, SAID))
    moved = breaker.record(Outcome(Verdict.UNKNOWN, 500, SAID))
    assert moved is not None
    assert own_words(moved.reason) == moved.reason == "10 of the last 20 exchanges failed"
    refused = opened(Breaker(MovingClock(), Random(1)), Outcome(Verdict.REFUSED, 400, SAID))
    assert own_words(refused.reason) == refused.reason == "20 users refused in a row, none accepted"


@pytest.mark.parametrize("reason", ["", SAID, f"a probe failed: {SAID}", "4711 is u-1's value 500", "0815-4711"])
def test_a_reason_that_may_be_anybodys_is_not_told(reason: str) -> None:
    assert own_words(reason) == "see `engage-sync status`"
