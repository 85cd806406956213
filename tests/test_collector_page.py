"""docs/collector.md is true: its lines are run against a collector that listens, and its numbers are the program's."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from pydantic import SecretStr

from sync.clock import SystemClock
from sync.collect import CollectService, Committer, Entrance, Senders, body, intake
from sync.config import Address, load
from sync.config.editors import json_schema
from sync.daemon.app import App
from sync.model import received
from sync.model.event import LoggedEvent
from sync.model.run import RunKind
from sync.refresh.run import refresh
from sync.store import events
from sync.store.engine import Database
from sync.store.events import Recorded
from tests.ports import unused_port
from tests.sdk.bridge import HERE as CLIENTS
from tests.sdk.bridge import no_node

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "collector.md").read_text(encoding="utf-8")
SHOWN = "https://events.example.com"
WRITE_KEY, WEBHOOK_SECRET = "write-key-of-the-page", "secret-of-the-page"
ENVIRONMENT = {
    "WRITE_KEY": WRITE_KEY,
    "IOS_WRITE_KEY": f"{WRITE_KEY}-ios",
    "WEBHOOK_SECRET": WEBHOOK_SECRET,
    "PUSHWOOSH_API_KEY": "key",
    "PUSHWOOSH_APP_CODE": "ABCDE-12345",
}
PATIENCE = 60.0


def blocks(kind: str) -> list[str]:
    """The fenced blocks of a kind."""
    found = re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    assert found, kind
    return found


@dataclass
class Listening:
    """A collector, and what came."""

    url: str = ""
    came: list[LoggedEvent] = field(default_factory=list)

    def record(self, batch: Sequence[LoggedEvent]) -> Recorded:
        self.came += batch
        return Recorded(ids=tuple(range(1, len(batch) + 1)))

    def told(self) -> list[tuple[str, str | None, str | None, str]]:
        return sorted((each.type, each.name, each.user_id, each.source) for each in self.came)


IDENTIFIED, ORDERED = ("identify", None, "u39", "web"), ("track", "Order Completed", "u39", "web")


@asynccontextmanager
async def listening() -> AsyncIterator[Listening]:
    found = Listening()
    committer = Committer(found.record)
    senders = Senders({"web": SecretStr(WRITE_KEY)}, {"segment": SecretStr(WEBHOOK_SECRET)})
    service = CollectService(Address("127.0.0.1", 0), Entrance(senders, committer, SystemClock()))
    await service.open()
    found.url = service.url
    try:
        yield found
    finally:
        await service.close()
        await committer.drained()
        committer.close()


async def run(*command: str, folder: Path | None = None) -> str:
    """Run a program as somebody with these keys in the environment; gives what it says."""
    environment = {**ENVIRONMENT, "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    child = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(child.communicate(), PATIENCE)
    assert child.returncode == 0, said.decode()
    return said.decode()


@pytest.mark.skipif(not shutil.which("curl") or not shutil.which("openssl"), reason="needs `curl` and `openssl`")
@pytest.mark.parametrize(
    ("number", "wanted"), [(0, [ORDERED]), (1, [IDENTIFIED, ORDERED]), (2, [(*ORDERED[:3], "segment")])]
)
async def test_the_lines_for_the_shell_are_taken(number: int, wanted: list[object]) -> None:
    async with listening() as collector:
        said = await run("sh", "-c", blocks("sh")[number].replace(SHOWN, collector.url))
        assert said == blocks("json")[0].rstrip()
        assert collector.told() == wanted
    assert len(blocks("sh")) == 3


@pytest.mark.parametrize("code", blocks("python"))
async def test_the_lines_for_python_are_taken(code: str) -> None:
    module = re.findall(r"^from (\w+)\.", code, re.MULTILINE)[0]
    pytest.importorskip(module, reason=f"needs the client `{module}`")
    async with listening() as collector:
        assert await run(sys.executable, "-c", code.replace(SHOWN, collector.url)) == ""
        assert collector.told() == [IDENTIFIED, ORDERED]


@pytest.mark.node
@pytest.mark.skipif(no_node() is not None, reason=no_node() or "")
@pytest.mark.parametrize("code", blocks("js"))
async def test_the_lines_for_node_are_taken(code: str) -> None:
    async with listening() as collector:
        code = code.replace(SHOWN, collector.url)
        assert await run("node", "--input-type=module", "--eval", code, folder=CLIENTS) == ""
        assert collector.told() == [IDENTIFIED, ORDERED]


async def test_what_is_said_of_a_wrong_key_and_where_apps_ask_is_so() -> None:
    async with listening() as collector, httpx.AsyncClient(base_url=collector.url, timeout=60) as client:
        refused = await client.post("/v1/track", auth=("wrong", ""), json={})
        assert (refused.status_code, refused.json()) == (401, json.loads(blocks("json")[1]))
        for host in re.findall(r'(?:cdnHost = |\.cdnHost\()"events\.example\.com(/\w+)"', PAGE):
            settings = await client.get(f"{host}/projects/{WRITE_KEY}/settings")
            assert (
                settings.json()["integrations"]["Segment.io"]["apiHost"] == collector.url.removeprefix("http://") + host
            )


async def test_every_path_of_the_table_is_there() -> None:
    async with (
        listening() as collector,
        httpx.AsyncClient(base_url=collector.url, auth=(WRITE_KEY, ""), timeout=60) as client,
    ):
        rows = re.findall(r"^\| (`POST /.*)\|$", PAGE, re.MULTILINE)
        paths = [path for row in rows for path in re.findall(r"(/(?:v1|beacon)/[\w/]+)", row) if "NAME" not in path]
        assert len(paths) == 16
        for path in paths:
            refused = await client.post(path, content="{}")
            assert refused.status_code == 400, path
        assert (await client.options("/anything", headers={"Origin": "https://shop.example"})).status_code == 204


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_configuration_loads(tmp_path: Path, text: str) -> None:
    (tmp_path / "sync.yaml").write_text(text, encoding="utf-8")
    assert load(tmp_path / "sync.yaml", ENVIRONMENT).collector is not None


def test_every_setting_named_exists() -> None:
    schema = json.dumps(json_schema())
    for name in re.findall(r"`(collector|retention)\.(\w+)`", PAGE):
        assert f'"{name[1]}"' in schema, name


def test_both_audiences_of_the_page_have_who_bought_more_than_twice(sqlite_database: Database, tmp_path: Path) -> None:
    text = next(each for each in blocks("yaml") if "audiences" in each)
    (tmp_path / "sync.yaml").write_text(f"store: {sqlite_database.engine.url}\n{text}", encoding="utf-8")
    app = App.load(tmp_path / "sync.yaml", ENVIRONMENT)
    at = datetime(2026, 11, 21, tzinfo=UTC)
    for number, user_id in enumerate(["ann"] * 3 + ["bob"] * 2):
        raw = {"type": "track", "event": "Order Completed", "userId": user_id, "messageId": f"m{number}"}
        events.record(sqlite_database, [received.read_event(raw, source="web", received_at=at)])
    in_sql, as_query = (
        refresh(sqlite_database, app.source("collector"), each, kind=RunKind.DELTA, as_of=at + timedelta(hours=1))
        for each in app.settings.definitions
    )
    assert (in_sql.counts.members, as_query.counts.members) == (1, 1)
    app.close()


def test_the_mappings_for_pages_send_what_known_users_do_and_leave_out_the_rest(tmp_path: Path) -> None:
    text = next(each for each in blocks("yaml") if "mappings" in each)
    (tmp_path / "sync.yaml").write_text(text, encoding="utf-8")
    mappings = load(tmp_path / "sync.yaml", ENVIRONMENT).destinations["pushwoosh"].mappings
    named = {
        "Signed Up": {"type": "track", "event": "Signed Up"},
        "Viewed": {"type": "page"},
        "Viewed Home": {"type": "page", "name": "Home"},
        None: {"type": "identify"},
    }
    for name, raw in named.items():
        event: dict[str, Any] = {**raw, "timestamp": "2026-11-21T10:00:00Z"}
        assert not any(each.matches({**event, "anonymousId": "a"}) for each in mappings)
        [taken] = [each for each in mappings if each.matches({**event, "userId": "u39"})]
        payload = taken.payload({**event, "userId": "u39"})
        assert (payload["external_id"], payload.get("name")) == ("u39", name)


def test_the_limits_are_these() -> None:
    limits = dict(re.findall(r"^\| ([^|]+) \| ((?:is|has|a track|are|one).*) \|$", PAGE, re.MULTILINE))
    assert (
        limits["An event"]
        == f"is at most {received.LARGEST_EVENT >> 10} KB, and nested at most {received.DEEPEST} deep"
    )
    assert limits["A request"] == (
        f"is at most {body.LARGEST_BODY >> 10} KB, unpacked, and has at most {intake.MOST_EVENTS:,} events"
    )
    assert f"at most {received.LONGEST_NAME:,} bytes" in limits["`event`"]
    assert f"at most {received.LONGEST_MESSAGE_ID} characters" in limits["`messageId`"]
    assert f"within {body.PATIENCE:g} seconds" in PAGE


def test_every_answer_is_in_the_table_and_every_answer_of_the_table_is_given() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "sync" / "collect").glob("*.py"))
    given = {(status, name) for status, name in re.findall(r'Refused\(\s*(\d{3}), "(\w+)"', code)}
    shown = {
        (status, name)
        for statuses, names in re.findall(r"^\| (\d{3}(?:, \d{3})*) \| (.*?) \|", PAGE, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", names)
        for status in statuses.split(", ")[:1]
    }
    assert shown == given


def test_the_time_of_the_example_is_corrected_as_it_says() -> None:
    [shown] = map(json.loads, blocks("json event"))
    at = datetime(2026, 11, 21, 10, 0, 5, tzinfo=UTC)
    event = received.read_event(
        shown, type="track", source="web", received_at=at, sent_at=received.instant(shown["sentAt"])
    )
    assert event.timestamp == datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert orjson.loads(event.body)["originalTimestamp"].startswith("2026-11-21T09:00:00")


@pytest.mark.skipif(not shutil.which("nginx") or not shutil.which("openssl"), reason="needs `nginx` and `openssl`")
async def test_the_lines_for_nginx_put_tls_in_front(tmp_path: Path) -> None:
    await run(
        *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-subj", "/CN=localhost", "-keyout", "events.example.com.key", "-out", "events.example.com.pem"),
        folder=tmp_path,
    )
    port = unused_port()
    async with listening() as collector:
        lines = blocks("nginx")[0].replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
        lines = lines.replace("/etc/ssl", str(tmp_path)).replace(
            "127.0.0.1:8080", collector.url.removeprefix("http://")
        )
        paths = "".join(
            f"{kind}_temp_path {tmp_path / kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        own = "user root;\n" if os.getuid() == 0 else ""
        (tmp_path / "nginx.conf").write_text(f"{own}events {{}}\nhttp {{\naccess_log off;\n{paths}{lines}}}\n")
        nginx = await asyncio.create_subprocess_exec(
            *("nginx", "-p", str(tmp_path), "-c", "nginx.conf", "-e", "error.log"),
            *("-g", f"daemon off; pid {tmp_path / 'pid'};"),
        )
        try:
            await check_proxy(f"https://127.0.0.1:{port}", collector)
        finally:
            nginx.terminate()
            await nginx.wait()


async def check_proxy(url: str, collector: Listening) -> None:
    """Events come through, and browsers are told to post to where they asked, safely."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    event: dict[str, Any] = {"userId": "u39", "event": "Order Completed", "context": {"direct": True}}
    async with httpx.AsyncClient(base_url=url, auth=(WRITE_KEY, ""), verify=trusting, timeout=60) as client:
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    posted = await client.post("/v1/track", json=event, headers={"X-Forwarded-For": "192.0.2.1"})
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.05)
        settings = await client.get(f"/v1/projects/{WRITE_KEY}/settings")
        too_large = await client.post("/v1/track", content=b" " * 600_000)
    assert posted.json() == {"success": True}
    assert orjson.loads(collector.came[0].body)["context"]["ip"] == "127.0.0.1"
    there = settings.json()["integrations"]["Segment.io"]
    assert there["protocol"] + "://" + there["apiHost"] == f"{url}/v1"
    assert (too_large.status_code, too_large.json()["code"]) == (400, "too_large")
