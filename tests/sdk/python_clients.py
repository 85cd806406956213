"""One of the clients for Python, as a program uses it: ``python_clients.py segment|rudder yes|no`` (packed or not).

COLLECTOR, WRITE_KEY, PERSON and MANY are in the environment. Ends with 1 when the client says that something failed.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

from rudderstack.analytics import Client as RudderStack
from segment.analytics import Client as Segment

CLIENTS = {"segment": Segment, "rudder": RudderStack}
AT = datetime(2026, 3, 1, 10, 15, 0, 250_000, tzinfo=UTC)


def main() -> int:
    """Tell the client everything, and wait until it has sent it."""
    name, gzip = sys.argv[1:]
    person, failures = os.environ["PERSON"], []

    def failed(error: Exception, batch: list[object]) -> None:
        failures.append(f"{error!r} about {len(batch)} events")

    client = CLIENTS[name](
        os.environ["WRITE_KEY"], host=os.environ["COLLECTOR"], gzip=gzip == "yes", on_error=failed, upload_size=10
    )
    client.identify(person, {"email": f"{person}@example.com", "plan": "gold", "visits": 3, "staff": False})
    client.track(person, "Order Completed", {"total": 12.5, "coupon": "Frühling ☀"}, timestamp=AT)
    client.page(person, name="Home", properties={"path": "/"}, timestamp=AT)
    client.screen(person, name="Basket", properties={"items": 2}, timestamp=AT)
    client.group(person, "g-1", {"company": "Initech"}, timestamp=AT)
    client.alias(f"{person}-before", person, timestamp=AT)
    for _ in range(2):
        client.track(person, "Same Again", {"n": 0}, timestamp=AT, message_id=f"same-{person}")
        client.flush()
    for number in range(int(os.environ["MANY"])):
        client.track(person, "Step", {"n": number}, timestamp=AT)
    client.track(person, "Odd", {"nan": float("nan"), "half": "\ud83d", "nul": "\0", "huge": 10**30}, timestamp=AT)
    client.flush()
    client.shutdown()
    print(*failures, sep="\n", end="")  # noqa: T201 - this is for whoever started it
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
