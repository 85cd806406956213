"""Starting, stopping and the command; and that the documentation tells all of it."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import click
import httpx
import orjson
import pytest
from click.testing import CliRunner

from sync.cli.sandbox import Printer, _count
from sync.cli.sandbox import sandbox as command
from sync.destinations.sandbox import Faults, Sandbox, SandboxThread, serve
from sync.destinations.sandbox.app import build_app
from sync.destinations.sandbox.profiles import PROFILE_FIELDS
from sync.errors import UsageError

TRACK_USER = "/integration-segment/v1/track-user"
HEADERS = {"Authorization": "Token key", "X-PW-Appcode": "CODE", "Content-Type": "application/json"}
DOCUMENTATION = (Path(__file__).parents[3] / "docs" / "sandbox.md").read_text()


def post(client: httpx.Client, user_id: str) -> int:
    body = orjson.dumps({"attributes": {"n": 1}, "user_id": user_id})
    return client.post(TRACK_USER, content=body).status_code


def test_a_thread_serves_synchronous_callers_from_many_threads() -> None:
    sandbox = Sandbox()
    with (
        SandboxThread(sandbox) as server,
        httpx.Client(base_url=server.url, headers=HEADERS, timeout=60) as client,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = list(pool.map(lambda number: post(client, f"u-{number % 10}"), range(200)))
    assert set(answers) == {200}
    assert (sandbox.accepted, sandbox.user_count, sandbox.stats()["duplicates"]) == (200, 10, 190)
    assert sandbox.sent_counts() == {f"u-{number}": 20 for number in range(10)}


def test_stopping_is_fast_with_open_connections_and_requests_under_way() -> None:
    sandbox = Sandbox()
    with httpx.Client(headers=HEADERS, timeout=60) as client, ThreadPoolExecutor(1) as pool:
        with SandboxThread(sandbox) as server:
            client.base_url = httpx.URL(server.url)
            assert post(client, "u-1") == 200
            sandbox.set_faults(latency=600)
            hanging = pool.submit(post, client, "u-2")
            while sandbox.accepted < 2:
                time.sleep(0.001)
            started = time.monotonic()
        assert time.monotonic() - started < 60
        assert isinstance(hanging.exception(), httpx.RemoteProtocolError | httpx.ReadError)


def test_a_taken_port_is_an_error_where_the_thread_is_started() -> None:
    with SandboxThread(Sandbox()) as server:
        port = httpx.URL(server.url).port
        assert port is not None
        with pytest.raises(OSError, match="in use") as caught, SandboxThread(Sandbox(), port=port):
            pass
    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
async def test_an_ipv6_address_gives_a_usable_url() -> None:
    try:
        async with serve(Sandbox(), "::1") as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            assert (await client.get("/_sandbox/stats")).status_code == 200
    except OSError:
        pytest.skip("no IPv6 loopback here")


@contextmanager
def running(*options: str) -> Iterator[subprocess.Popen[str]]:
    program = "from sync.cli.sandbox import sandbox; sandbox()"
    arguments = [sys.executable, "-c", program, "--listen", "127.0.0.1:0", *options]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_command_says_where_it_listens_and_ends_with_zero(number: signal.Signals) -> None:
    with running("--fail-user", "u-1", "--fail-user", "u-2") as process:
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        url = second.removeprefix("base_url: ").strip()
        assert url in first
        with httpx.Client(base_url=url, headers=HEADERS, timeout=60) as client:
            assert [post(client, f"u-{last}") for last in (1, 2, 3)] == [400, 400, 200]
            client.post(TRACK_USER, content=b'{"attributes":{},"user_id":"u","colour":"red"}')
            line = process.stdout.readline()
            assert line == f'complaint: request 4 {TRACK_USER}: 400 unknown field "colour"\n'
            process.send_signal(number)
            rest, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (0, "")
    assert rest == "4 requests, 1 accepted, 3 refused, 1 users, 1 complaints\n"


def test_the_command_prints_json_lines() -> None:
    with running("--json", "--latency", "0.001", "--error-rate", "1", "--rate-limit", "0.01") as process:
        assert process.stdout is not None
        listening = orjson.loads(process.stdout.readline())
        with httpx.Client(base_url=listening["base_url"], headers=HEADERS, timeout=60) as client:
            assert [post(client, "u-1") for _ in range(2)] == [500, 429]
            client.post("/nowhere")
        complaint = orjson.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        stopped = orjson.loads(process.communicate(timeout=60)[0])
    assert (complaint["event"], complaint["status"]) == ("complaint", 404)
    assert (stopped["event"], stopped["requests"], process.returncode) == ("stopped", 3, 0)


async def test_on_a_terminal_the_counts_are_shown_when_they_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: asyncio.Queue[object] = asyncio.Queue()
    monkeypatch.setattr(sys.modules[Printer.__module__], "COUNT_INTERVAL", 0.001)
    monkeypatch.setattr(Printer, "counts", lambda self, stats: shown.put_nowait(stats["requests"]))
    sandbox = Sandbox()
    counting = asyncio.create_task(_count(sandbox, Printer(as_json=False)))
    for wanted in (1, 2):
        sandbox.leave(sandbox.enter("/"))
        assert await asyncio.wait_for(shown.get(), 60) == wanted
    assert shown.empty()
    counting.cancel()


def test_a_taken_port_is_one_clear_sentence() -> None:
    with SandboxThread(Sandbox()) as server:
        address = server.url.removeprefix("http://")
        result = CliRunner().invoke(command, ["--listen", address])
    assert isinstance(result.exception, UsageError)
    assert str(result.exception) == f"Cannot listen on {address}: it is in use; choose another with --listen."


@pytest.mark.parametrize("listen", ["8900", ":8900", "localhost:", "localhost:x", "localhost:70000"])
def test_a_listen_address_that_makes_no_sense_is_refused(listen: str) -> None:
    result = CliRunner().invoke(command, ["--listen", listen])
    assert isinstance(result.exception, UsageError)
    assert listen in str(result.exception)


@pytest.mark.parametrize("arguments", [["--latency", "inf"], ["--rate-limit", "nan"]])
def test_a_number_that_is_none_is_refused(arguments: list[str]) -> None:
    result = CliRunner().invoke(command, arguments)
    assert isinstance(result.exception, UsageError)


def test_the_documentation_names_every_fault_with_an_example() -> None:
    for field in fields(Faults):
        row = next((line for line in DOCUMENTATION.splitlines() if line.startswith(f"| `{field.name}` ")), "")
        example = row.split("|")[2].strip().strip("`") if row else ""
        assert field.name in Faults.from_json(orjson.loads(example)).to_json(), field.name
        assert f'"{field.name}"' in example


def test_the_documentation_names_every_option_endpoint_and_field() -> None:
    names = [option for parameter in command.params if isinstance(parameter, click.Option) for option in parameter.opts]
    paths = {route.resource.canonical for route in build_app(Sandbox()).router.routes() if route.resource}
    known = {path.removesuffix("{user_id}") for path in paths if "anything" not in path}
    wanted = [*names, *known, *(f"`{field}`" for field in PROFILE_FIELDS), *(f"`{key}`" for key in Sandbox().stats())]
    assert [name for name in wanted if name not in DOCUMENTATION] == []
