"""A daemon that has nothing to do costs next to nothing, however many definitions it has (M5; figures: ``bench idle``)."""

from __future__ import annotations

from tests.daemon.running import running, schedule
from tests.daemon.watching import busy, ready, resident_megabytes
from tests.proofs import Road

DEFINITIONS = 1_000


def test_a_daemon_with_nothing_to_do_rests(sqlite_road: Road) -> None:
    people = [{"name": f"Audience {number}", "sql": "select user_id from person"} for number in range(DEFINITIONS)]
    schedule(sqlite_road, "every 1 days", audiences=people, traits=[])
    with running(sqlite_road) as daemon:
        daemon.until(lambda: ready(daemon), "it is never ready")
        daemon.hear("store.pruned")
        # On a machine that does much else: it is a hundredth of a core, and whoever looks in a loop takes all of it.
        assert busy(daemon, 3.0) < 0.2
        assert resident_megabytes(daemon.pid) < 160
        for name in ("service.failed", "run.succeeded"):
            assert not daemon.events(name), daemon.said
        daemon.stop()
