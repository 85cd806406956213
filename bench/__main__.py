"""``python -m bench``: all benchmarks, or those that are named."""

from __future__ import annotations

import argparse
import time

from bench import bulk, delivery, forward, idle, incremental, ingest, mapping, memory, queries, refresh
from bench.places import Places, places
from bench.shop import Shop

_ALL = ("refresh", "delivery", "memory", "mapping", "idle", "ingest", "forward", "bulk", "queries", "incremental")
_DAYS_OF_EVENTS = {500_000: 36, 5_000_000: 365, 20_000_000: 1460}
"""As many in each hour, however far back."""


def main() -> None:
    """Run what is asked for and print its tables; always ends well."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="How far from the raw ceiling, as ratios.")
    parser.add_argument("names", nargs="*", metavar="|".join(_ALL), help="which (all of them when none is named)")
    parser.add_argument("--quick", action="store_true", help="a tenth of the users and fewer turns: only a smoke test")
    parser.add_argument("--full", action="store_true", help="memory: deliver to every user instead of 20,000")
    asked = parser.parse_args()
    unknown = set(asked.names) - set(_ALL)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    started = time.monotonic()
    with places() as found:
        for name in asked.names or _ALL:
            _run(name, found, quick=asked.quick, full=asked.full)
    print(f"\n{time.monotonic() - started:.0f} s in all")


def _run(name: str, found: Places, *, quick: bool, full: bool) -> None:
    users = 100_000 if quick else 1_000_000
    times = 1 if quick else 3
    match name:
        case "refresh":
            refresh.run(found, users, times)
        case "delivery":
            delivery.run(found, 5_000 if quick else 20_000, times)
        case "mapping":
            mapping.run(20_000 if quick else 200_000, times)
        case "idle":
            idle.run(found, 5.0 if quick else 20.0)
        case "ingest":
            ingest.run(found, 5_000 if quick else 50_000, times)
        case "forward":
            forward.run(found, 10_000 if quick else 50_000, times)
        case "bulk":
            bulk.run(found, users)
        case "queries":
            queries.run(found, 5 * users, users, times)
        case "incremental":
            sizes = {events // 10 if quick else events: days for events, days in _DAYS_OF_EVENTS.items()}
            incremental.run(found, [Shop(events, users, days) for events, days in sizes.items()])
        case _:
            memory.run(found, users, everybody=full)


if __name__ == "__main__":
    main()
