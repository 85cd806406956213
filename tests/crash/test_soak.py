"""kill -9 at random instants of one long backfill, time and again: the promises hold to the end.

``make soak`` runs it whole (``SOAK=full``), with a new seed each time unless ``SOAK_SEED`` gives one; CI runs a small
one with a fixed seed. Each run prints its seed and what it measured.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from tests.proofs import Road, ended, until
from tests.soak import FULL, SEED

USERS, KILLS = (20_000, 100) if FULL else (1_000, 7)

IN_THE_REFRESH = 0.2
"""Share of the kills that are aimed at the time before the first request of a life."""

LATENCY = 0.01


@dataclass
class Soak:
    """One backfill and its deaths. ``hits`` counts for each user the kills that found him being sent."""

    road: Road
    random: Random
    hits: Counter[str] = field(default_factory=Counter)
    by_phase: Counter[str] = field(default_factory=Counter)
    beginning: float = 1.0

    def live(self, over: Callable[[], bool], phase: str) -> None:
        """Start the backfill (again) and kill it when ``over`` says so."""
        child = self.road.spawn("backfill")
        try:
            until(lambda: over() or child.poll() is not None, "it does not go on", 60)
            assert child.poll() is None, f"it ended by itself: {child.communicate()[0]}"
        finally:
            child.kill()
            child.communicate()
        self.road.clients_gone()
        self.hits.update(
            user
            for (user,) in self.road.rows("SELECT user_id FROM slot WHERE state = 'sending' OR bulk_token IS NOT NULL")
        )
        self.by_phase[phase] += 1

    def die_in_the_refresh(self) -> None:
        """Die at any instant between the start of the process and its first request."""
        end = time.monotonic() + self.random.uniform(0.4, 1.05) * self.beginning
        before = self.road.sandbox.requests
        self.live(lambda: time.monotonic() >= end or self.road.sandbox.requests > before, "refresh")

    def die_in_the_delivery(self, after: int) -> None:
        """Die at any instant once so many users have arrived."""
        before, started = self.road.sandbox.requests, time.monotonic()
        begun, moment = 0.0, self.random.uniform(0, 0.05)

        def over() -> bool:
            nonlocal begun
            if not begun and self.road.sandbox.requests > before:
                begun = time.monotonic()
                self.beginning = begun - started
            arrived = begun and self.road.sandbox.user_count >= after
            return bool(arrived) and time.monotonic() - begun >= moment

        self.live(over, "delivery")

    def die(self, kills: int) -> None:
        """Die so many times, spread over the whole backfill."""
        for death in range(kills):
            if death and self.random.random() < IN_THE_REFRESH:
                self.die_in_the_refresh()
            else:
                share = (death + self.random.random()) / kills
                self.die_in_the_delivery(int(0.98 * len(self.road.wanted) * share))


@pytest.mark.soak
@pytest.mark.timeout(1800 if FULL else 300)
def test_a_backfill_killed_at_random_instants_loses_nobody_and_sends_nobody_without_reason(
    road: Road, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    road.crowd(USERS)
    road.sandbox.set_faults(latency=LATENCY)
    soak = Soak(road, Random(SEED))
    with capsys.disabled():
        sys.stdout.write(f"\n{request.node.callspec.id}: SOAK_SEED={SEED}, {USERS} users, {KILLS} kills\n")
    soak.die(KILLS)
    child = road.spawn("backfill")
    code, said = ended(child, 300)
    assert code == 0, said

    road.delivered()
    sent = road.sandbox.sent_counts()
    assert sum(soak.by_phase.values()) == KILLS
    for user_id in road.wanted:
        assert 1 <= sent[user_id] <= 1 + 2 * soak.hits[user_id], f"{user_id}, with SOAK_SEED={SEED}"
    assert Counter(road.rows("SELECT status FROM run"))[("running",)] == 0
    assert road.rows("SELECT count(*) FROM enrolment WHERE backfilled_at IS NULL") == [(0,)]
    assert road.sandbox.stats()["max_concurrent_per_user"] == 1
    with capsys.disabled():
        sys.stdout.write(
            f"{request.node.callspec.id}: {dict(soak.by_phase)}, {len(soak.hits)} users hit in flight, at most "
            f"{max(soak.hits.values(), default=0)} times; {sum(sent.values())} requests, at most {max(sent.values())} "
            f"for one user; runs {dict(Counter(status for (status,) in road.rows('SELECT status FROM run')))}; "
            f"nobody lost, {time.monotonic() - started:.0f} s\n"
        )
