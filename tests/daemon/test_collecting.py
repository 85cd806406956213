"""A daemon takes in events while its configuration changes and until it ends, and whoever got a 200 is never let down."""

from __future__ import annotations

import signal
import socket
import threading
from typing import Any

import httpx

from tests.daemon.running import Running, running, schedule
from tests.proofs import Road, until

FIRST, SECOND = "first-write-key", "second-write-key"
HERE = ("--collector-listen", "127.0.0.1:0")


def collector(*keys: str, **more: object) -> dict[str, Any]:
    return {"keys": {f"name-{number}": key for number, key in enumerate(keys)}, **more}


def address(found: Running, times: int = 1) -> str:
    """Where it listens."""
    return f"http://{found.hear('collect.listening', times)['address']}"


def post(url: str, number: int, key: str = FIRST) -> int:
    event = {"userId": "u", "event": "Tested", "messageId": f"m{number}"}
    return httpx.post(f"{url}/v1/track", json=event, auth=(key, ""), timeout=60).status_code


def test_keys_are_read_anew_and_the_address_stays(sqlite_road: Road) -> None:
    sqlite_road.crowd(1)
    schedule(sqlite_road, collector=collector(FIRST))
    with running(sqlite_road, *HERE) as found:
        url = address(found)
        assert (post(url, 1), post(url, 2, SECOND)) == (200, 401)
        schedule(sqlite_road, collector=collector(SECOND))
        found.signal(signal.SIGHUP)
        found.hear("configuration.reloaded")
        found.until(lambda: post(url, 3, SECOND) == 200, "the new key is not taken")
        assert post(url, 4) == 401
        assert len(found.events("collect.listening")) == 1
        found.stop()
    assert sqlite_road.rows("SELECT message_id FROM event ORDER BY id") == [("m1",), ("m3",)]


def test_another_address_takes_the_place_of_the_first_and_off_means_nowhere(sqlite_road: Road) -> None:
    sqlite_road.crowd(1)
    schedule(sqlite_road, collector=collector(FIRST, listen="127.0.0.1:0"))
    with running(sqlite_road) as found:
        first = address(found)
        schedule(sqlite_road, collector=collector(FIRST, listen="[::1]:0"))
        found.signal(signal.SIGHUP)
        second = address(found, 2)
        found.until(lambda: refuses(first), "the first address still answers")
        assert post(second, 1) == 200
        schedule(sqlite_road, collector=collector(FIRST, listen="off"))
        found.signal(signal.SIGHUP)
        found.until(lambda: refuses(second), "the second address still answers")
        found.stop()


def test_an_address_in_use_is_refused_and_the_first_one_stays(sqlite_road: Road) -> None:
    sqlite_road.crowd(1)
    schedule(sqlite_road, collector=collector(FIRST, listen="127.0.0.1:0"))
    with running(sqlite_road) as other, running(sqlite_road) as found:
        url = address(found)
        taken = address(other).removeprefix("http://")
        schedule(sqlite_road, collector=collector(FIRST, listen=taken))
        found.signal(signal.SIGHUP)
        assert "--collector-listen" in found.hear("configuration.refused")["problems"][0]
        assert post(url, 1) == 200
        found.stop()
        other.stop()


def test_what_is_posted_while_it_ends_is_recorded_or_not_answered_with_200(sqlite_road: Road) -> None:
    sqlite_road.crowd(1)
    schedule(sqlite_road, collector=collector(FIRST))
    answered: list[int] = []

    def client(url: str, number: int) -> None:
        while True:
            try:
                status = post(url, number)
            except httpx.HTTPError:
                return
            if status == 200:
                answered.append(number)
            number += 4

    with running(sqlite_road, *HERE) as found:
        url = address(found)
        clients = [threading.Thread(target=client, args=(url, number)) for number in range(4)]
        for each in clients:
            each.start()
        until(lambda: len(answered) > 20, "nobody is answered")
        found.stop()
        for each in clients:
            each.join()
    recorded = {row[0] for row in sqlite_road.rows("SELECT message_id FROM event")}
    assert {f"m{number}" for number in answered} <= recorded
    # What was recorded without an answer had its client on the line: one each at most.
    assert len(recorded) - len(answered) <= len(clients)


def refuses(url: str) -> bool:
    """Whether nobody can connect there. No request is sent: one that comes while the door closes gets no answer."""
    found = httpx.URL(url)
    try:
        socket.create_connection((found.host, found.port or 80), timeout=60).close()
    except ConnectionRefusedError:
        return True
    return False
