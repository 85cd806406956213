"""Whatever is sent to it, the collector answers with whose fault it was, stays as small as it was, and takes what is good."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

import httpx
import orjson
import pytest

from sync.store.engine import connect
from tests.children import ROOT
from tests.collect.malformed import KEY, Malformed, malformed
from tests.proofs import until
from tests.soak import FULL, SEED

REQUESTS = 10_000 if FULL else 1_500
AT_ONCE = 16
PATIENCE = 60.0
"""Seconds for an answer."""

INCOMPLETE = 0.1
"""Seconds after which the sender of half a request hangs up."""

GROWTH = 48 * 1024 * 1024
"""Bytes by which the process may be larger after all of them than after the first third."""


@dataclass
class Living:
    """A daemon that collects."""

    process: subprocess.Popen[bytes]
    log: Path
    store: str

    @property
    def port(self) -> int:
        lines = [
            line for line in self.log.read_text().splitlines() if "collect.listening" in line and line.endswith("}")
        ]
        return int(orjson.loads(lines[0])["address"].rpartition(":")[2]) if lines else 0

    @property
    def size(self) -> int:
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096


@pytest.fixture
def living(tmp_path: Path) -> Iterator[Living]:
    config, log, store = tmp_path / "sync.yaml", tmp_path / "daemon.log", f"sqlite:///{tmp_path / 'store.db'}"
    collector = {"listen": "127.0.0.1:0", "keys": {"fuzz": KEY}, "webhooks": {"hook": {"secret": "secret-of-the-hook"}}}
    config.write_bytes(orjson.dumps({"version": 1, "store": store, "web": {"listen": "off"}, "collector": collector}))
    with log.open("wb") as said:
        command = [sys.executable, "-m", "sync", "daemon", "--config", str(config)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT)
    found = Living(process, log, store)
    try:
        until(lambda: bool(found.port) or process.poll() is not None, "it does not listen", PATIENCE)
        assert process.poll() is None, log.read_text()
        yield found
    finally:
        process.kill()
        process.wait()


async def send(port: int, wrong: Malformed) -> int | None:
    """The status it is answered with, if it is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(wrong.raw)
        with suppress(ConnectionError):
            await writer.drain()
        try:
            line = await asyncio.wait_for(reader.readline(), PATIENCE if wrong.answered else INCOMPLETE)
        except TimeoutError:
            assert not wrong.answered, f"no answer to {wrong.kind}: {wrong.raw[:300]!r}"
            return None
        except ConnectionError:
            return None  # it hung up before all was sent
        return int(line.split()[1]) if line else None
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def torment(living: Living, random: Random, number: int) -> Counter[tuple[str, int | None]]:
    """Send so many of them, some at once; gives what they were answered, by kind."""
    answers = Counter[tuple[str, int | None]]()
    wrong = (malformed(random) for _ in range(number))
    port = living.port

    async def one_after_another() -> None:
        for each in wrong:
            status = await send(port, each)
            answers[each.kind, status] += 1
            assert status is None or status < 500, f"{status} for {each.kind}: {each.raw[:2000]!r}"

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
    return answers


async def goodness(living: Living, over: asyncio.Event) -> int:
    """Post what is right beside it, until it is over; gives how many events."""
    number = 0
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{living.port}", auth=(KEY, ""), timeout=PATIENCE
    ) as client:
        while not over.is_set():
            batch = [
                {"type": "track", "event": "Good", "userId": "good", "messageId": f"good-{number + more}"}
                for more in range(10)
            ]
            answer = await client.post("/v1/batch", json={"batch": batch})
            assert (answer.status_code, answer.json()) == (200, {"success": True})
            number += 10
    return number


@pytest.mark.soak
async def test_malformed_requests_harm_nobody(living: Living) -> None:
    over, random = asyncio.Event(), Random(SEED)
    beside = asyncio.create_task(goodness(living, over))
    try:
        answers = await torment(living, random, REQUESTS // 3)
        before = living.size
        answers += await torment(living, random, REQUESTS - REQUESTS // 3)
        assert living.size - before < GROWTH
    finally:
        over.set()
    good = await beside

    assert {status for _, status in answers} >= {None, 200, 400, 401, 404, 405}, answers
    assert {kind for kind, status in answers if status is None} <= {"chunks", "head", "size"}
    assert living.process.poll() is None
    store = connect(living.store)
    with store.read() as connection:
        kept = (
            connection.exec_driver_sql("SELECT message_id FROM event WHERE user_id = 'good' ORDER BY id")
            .scalars()
            .all()
        )
    store.close()
    assert kept == [f"good-{number}" for number in range(good)]

    living.process.terminate()
    assert living.process.wait(PATIENCE) == 0
    said = living.log.read_text()
    assert "Traceback" not in said
    assert '"level":"error"' not in said
    assert said.rstrip().endswith("stopped")
