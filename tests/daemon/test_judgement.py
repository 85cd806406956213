"""Those who judge a soak would notice."""

from __future__ import annotations

from datetime import UTC, datetime

from sync.destinations.sandbox import Request
from tests.daemon.fleet import Daemon, Spell
from tests.daemon.judgement import differences, overtakings
from tests.proofs import Road

HISTORY = {("ann", "score"): [1, 4, None, 7]}

PAUSE = Spell(50, 101.5, "deliver.sending")


def sent(*scores: int | None) -> list[Request]:
    """Requests that bring these scores of one user, at 101, 102, …"""
    return [
        Request(
            number, datetime.fromtimestamp(100 + number, UTC), "/", "ann", 200, {"attributes": {"score": score}}, None
        )
        for number, score in enumerate(scores, 1)
    ]


def fleet(sqlite_road: Road, *paused: Spell, looked: float = 49.0) -> list[Daemon]:
    """Two, of whom one was paused; ``looked`` is when that one last did before it sent."""
    anna = Daemon(sqlite_road, "anna", 1.0, {}, paused=list(paused))
    anna.looks = {"ann": [looked, 200.0], "bob": [49.0]}
    return [anna, Daemon(sqlite_road, "berta", 1.0, {})]


def test_values_may_be_passed_over_and_repeated(sqlite_road: Road) -> None:
    for scores in ((1, 4, None, 7), (1, 7), (1, 1, None, None, 7, 7), ()):
        senders = dict.fromkeys(range(1, 9), "anna")
        assert not overtakings(sent(*scores), senders, HISTORY, fleet(sqlite_road), 1.0)


def test_an_older_value_after_a_newer_one_is_seen_and_only_one_who_was_paused_before_the_socket_is_excused(
    sqlite_road: Road,
) -> None:
    for scores in ((4, 1), (7, None), (1, 4, 7, 4, 7)):
        [found] = overtakings(sent(*scores), dict.fromkeys(range(1, 9), "anna"), HISTORY, fleet(sqlite_road), 1.0)
        assert not found.excused
    for spell in (PAUSE, Spell(50, 101.5, "refresh.committed"), Spell(50, 101.5)):
        [found] = overtakings(sent(4, 1), {1: "berta", 2: "anna"}, HISTORY, fleet(sqlite_road, spell), 1.0)
        assert found.excused
    for looked in (50.5, 101.6, 300.0):
        [found] = overtakings(
            sent(4, 1), {1: "berta", 2: "anna"}, HISTORY, fleet(sqlite_road, PAUSE, looked=looked), 1.0
        )
        assert not found.excused
    for senders, spell in (
        ({1: "anna", 2: "berta"}, PAUSE),
        ({1: "berta", 2: "anna"}, Spell(50, 90, PAUSE.step)),
    ):
        [found] = overtakings(sent(4, 1), senders, HISTORY, fleet(sqlite_road, spell), 1.0)
        assert not found.excused


def test_what_arrives_from_one_who_was_killed_since_it_looked_is_excused(sqlite_road: Road) -> None:
    for killed, looked, excused in (
        (101.8, 49.0, True),
        (101.8, 101.9, False),
        (102.1, 49.0, False),
        (90, 49.0, False),
    ):
        daemons = fleet(sqlite_road, looked=looked)
        daemons[0].killed = [killed]
        [found] = overtakings(sent(4, 1), {1: "berta", 2: "anna"}, HISTORY, daemons, 1.0)
        assert found.excused is excused


def test_a_none_that_may_be_an_older_one_is_not_taken_for_one_that_is_yet_to_come(sqlite_road: Road) -> None:
    twice = {("ann", "score"): [None, 4, 7, None, 9]}
    for scores, found in (((7, None, 7, 9), 0), ((7, None, 4), 1), ((None, 9, None, 9), 1)):
        senders = dict.fromkeys(range(1, 9), "anna")
        assert len(overtakings(sent(*scores), senders, twice, fleet(sqlite_road), 1.0)) == found


def test_what_a_destination_has_wrong_is_found() -> None:
    truth = {"members": {"ann": True}, "score": {"ann": 7, "bob": 1}}
    right = {
        "ann": {"attributes": {"members": True, "score": 7}},
        "bob": {"attributes": {"members": False, "score": 1}},
    }
    assert not differences(truth, right)
    assert len(differences(truth, {"ann": right["ann"]})) == 1
    assert len(differences(truth, {**right, "cyd": {"attributes": {"members": True, "score": None}}})) == 1
    assert len(differences(truth, {**right, "ann": {"attributes": {"members": False, "score": 6}}})) == 2
