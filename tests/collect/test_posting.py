"""SDKs may post in every way that Segment's own API takes, and are told what SDKs can read."""

from __future__ import annotations

import gzip
import zlib
from base64 import b64encode
from collections import Counter
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest

from sync import telemetry
from sync.model import received
from tests.collect.conftest import KEY, OTHER_KEY, Collecting, Shelf, track

DONE = {"success": True}


@pytest.fixture
async def client(collecting: Collecting, shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    async with collecting(shelf.record) as found:
        yield found


@pytest.fixture
async def stranger(collecting: Collecting, shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    async with collecting(shelf.record, auth=False) as found:
        yield found


@pytest.mark.parametrize("kind", ["identify", "track", "page", "screen", "group", "alias"])
async def test_each_kind_has_its_address_in_full_and_by_its_letter(
    client: httpx.AsyncClient, shelf: Shelf, kind: str
) -> None:
    for path in (f"/v1/{kind}", f"/v1/{kind[0]}"):
        answer = await client.post(path, json={"userId": "u", "event": "E", "groupId": "g"})
        assert (answer.status_code, answer.json()) == (200, DONE)
    assert [event.type for event in shelf.events] == [kind] * 2
    assert [body["type"] for body in shelf.bodies] == [kind] * 2
    assert {event.source for event in shelf.events} == {"web"}


@pytest.mark.parametrize("path", ["/v1/batch", "/v1/b", "/v1/import", "/beacon/v1/batch"])
async def test_a_batch_is_recorded_in_its_order(client: httpx.AsyncClient, shelf: Shelf, path: str) -> None:
    answer = await client.post(path, json={"batch": [track(number) for number in range(300)]})
    assert (answer.status_code, answer.content) == (200, b'{"success":true}')
    assert [event.message_id for event in shelf.events] == [f"m{number}" for number in range(300)]


async def test_what_a_batch_says_of_all_is_said_of_each(client: httpx.AsyncClient, shelf: Shelf) -> None:
    batch = {
        "context": {"ip": "1.2.3.4", "app": "shop"},
        "integrations": {"All": False},
        "batch": [track(1), track(2, context={"ip": "9.9.9.9"}, integrations={"Pushwoosh": True})],
    }
    assert (await client.post("/v1/batch", json=batch)).status_code == 200
    first, second = shelf.bodies
    assert (first["context"], first["integrations"]) == ({"ip": "1.2.3.4", "app": "shop"}, {"All": False})
    assert second["context"] == {"ip": "9.9.9.9", "app": "shop"}
    assert second["integrations"] == {"All": False, "Pushwoosh": True}


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/json; charset=utf-8", "text/plain;charset=UTF-8", "x/y", ""]
)
async def test_any_content_type_will_do(client: httpx.AsyncClient, shelf: Shelf, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}
    assert (await client.post("/v1/t", content=orjson.dumps(track()), headers=headers)).status_code == 200
    assert len(shelf.events) == 1


def _raw_deflate(body: bytes) -> bytes:
    made = zlib.compressobj(wbits=-15)
    return made.compress(body) + made.flush()


@pytest.mark.parametrize(
    ("encoding", "encode"),
    [
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", _raw_deflate),
        ("identity", bytes),
    ],
)
async def test_a_body_may_be_compressed_and_chunked(
    client: httpx.AsyncClient, shelf: Shelf, encoding: str, encode: object
) -> None:
    body = encode(orjson.dumps({"batch": [track(number) for number in range(100)]}))  # type: ignore[operator]

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 1000):
            yield body[start : start + 1000]

    for content in (body, chunks()):
        answer = await client.post("/v1/batch", content=content, headers={"Content-Encoding": encoding})
        assert (answer.status_code, answer.json()) == (200, DONE)
    assert len(shelf.events) == 200


async def test_the_key_may_be_in_the_head_the_body_the_address_or_each_event(
    stranger: httpx.AsyncClient, shelf: Shelf
) -> None:
    basic = {"Authorization": "Basic " + b64encode(f"{OTHER_KEY}:".encode()).decode()}
    assert (await stranger.post("/v1/track", json=track(1), headers=basic)).status_code == 200
    assert (await stranger.post("/v1/track", json=track(2, writeKey=OTHER_KEY))).status_code == 200
    assert (await stranger.post("/v1/batch", json={"batch": [track(3)], "writeKey": OTHER_KEY})).status_code == 200
    assert (
        await stranger.post(f"/beacon/v1/batch?writeKey={OTHER_KEY}", json={"batch": [track(4)]})
    ).status_code == 200
    each = [track(5, writeKey=OTHER_KEY), track(6, writeKey=KEY), track(7, writeKey="wrong"), track(8)]
    assert (await stranger.post("/v1/batch", json={"batch": each})).status_code == 200
    bearer = {"Authorization": "Bearer token-of-somebody"}
    assert (await stranger.post("/v1/track", json=track(9, writeKey=KEY), headers=bearer)).status_code == 200
    assert [event.source for event in shelf.events] == ["ios"] * 5 + ["web"] * 2
    assert not any("writeKey" in body for body in shelf.bodies)


@pytest.mark.parametrize(
    "authorization", ["", "Basic", "Basic !", "Basic d3Jvbmc6", "Bearer x", f"Basic {KEY}", "Basic /////w=="]
)
async def test_without_a_right_key_nothing_is_taken(
    stranger: httpx.AsyncClient, shelf: Shelf, authorization: str
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    for path, posted in (
        ("/v1/track", track()),
        ("/v1/batch", {"batch": [track()]}),
        ("/v1/b", {"batch": [track()], "writeKey": "x"}),
    ):
        answer = await stranger.post(path, json=posted, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_write_key")
        assert answer.json()["message"]
    assert not shelf.events


async def test_one_wrong_event_does_not_cost_the_others(client: httpx.AsyncClient, shelf: Shelf) -> None:
    batch = [
        track(1),
        {"type": "track", "userId": "u"},
        7,
        None,
        {"type": "unheard"},
        track(2, x="y" * 33_000),
        track(3),
    ]
    assert (await client.post("/v1/batch", json={"batch": batch})).json() == DONE
    assert [event.message_id for event in shelf.events] == ["m1", "m3"]


async def test_a_post_of_which_nothing_can_be_taken_says_why(client: httpx.AsyncClient, shelf: Shelf) -> None:
    answer = await client.post("/v1/track", json={"userId": "u"})
    assert (answer.status_code, answer.json()) == (
        400,
        {"code": "invalid_event", "message": "a track event needs its name in `event`, a text"},
    )
    assert (await client.post("/v1/batch", json={"batch": [{"type": "page"}]})).status_code == 400
    assert (await client.post("/v1/batch", json={"batch": []})).json() == DONE
    assert not shelf.events


@pytest.mark.parametrize("body", [b"", b"{", b"[1", b'"x"', b"7", b"{}", b'{"batch":{}}', b"\xff\xfe{}", b"null"])
async def test_what_is_no_batch_is_refused_in_a_sentence(client: httpx.AsyncClient, shelf: Shelf, body: bytes) -> None:
    answer = await client.post("/v1/batch", content=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message"}
    assert not shelf.events


async def test_odd_json_that_can_be_understood_is_taken(client: httpx.AsyncClient, shelf: Shelf) -> None:
    body = (
        b'\xef\xbb\xbf{"batch":[{"type":"track","userId":12345678901234567890123,"event":"a\\u0000b\\ud83d\xff",'
        b'"properties":{"a":NaN,"b":-Infinity,"c":1e999,"d":"\x01"}}]}'
    )
    assert (await client.post("/v1/batch", content=body)).json() == DONE
    (found,) = shelf.bodies
    assert (found["event"], shelf.events[0].name) == ("a\ufffdb\ufffd\ufffd",) * 2
    assert found["properties"] == {"a": None, "b": None, "c": None, "d": "\x01"}
    assert "\0" not in shelf.events[0].body


async def test_segments_limits_hold_for_what_comes_out_of_it(client: httpx.AsyncClient, shelf: Shelf) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    for content, encoding in ((bomb, "gzip"), (b" " * 600_000, "identity"), (zlib.compress(b"[" * 600_000), "deflate")):
        answer = await client.post("/v1/batch", content=content, headers={"Content-Encoding": encoding})
        assert (answer.status_code, answer.json()["code"]) == (400, "too_large")
    small = {"type": "page", "userId": "u"}
    answer = await client.post("/v1/batch", json={"batch": [small] * 2501})
    assert (answer.status_code, answer.json()["code"]) == (400, "too_many_events")
    assert not shelf.events
    assert (await client.post("/v1/batch", json={"batch": [small] * 2500})).status_code == 200
    assert len(shelf.events) == 2500


async def test_a_batch_cannot_make_many_large_events_of_one_text(client: httpx.AsyncClient, shelf: Shelf) -> None:
    batch = {"context": {"x": "y" * 30_000}, "batch": [{"type": "page", "userId": "u"}] * 2500}
    answer = await client.post("/v1/batch", json=batch)
    assert (answer.status_code, answer.json()["code"]) == (400, "too_large")
    assert not shelf.events


@pytest.mark.parametrize(
    ("content", "encoding", "status"),
    [
        (b"not gzip", "gzip", 400),
        (gzip.compress(b"{}", mtime=0)[:-4], "gzip", 400),
        (gzip.compress(b"{}", mtime=0) * 2, "gzip", 400),
        (b"x", "deflate", 400),
        (b"{}", "br", 415),
        (b"{}", "gzip, gzip", 415),
    ],
)
async def test_a_body_that_is_not_what_its_head_says_is_refused(
    client: httpx.AsyncClient, content: bytes, encoding: str, status: int
) -> None:
    answer = await client.post("/v1/batch", content=content, headers={"Content-Encoding": encoding})
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message"}


async def test_a_page_of_any_origin_may_post(client: httpx.AsyncClient) -> None:
    asked = {
        "Origin": "https://shop.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-retry-count",
    }
    for path in ("/v1/t", "/v1/batch", "/v1/projects/x/settings", "/anything"):
        answer = await client.options(path, headers=asked)
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shop.example"
        assert answer.headers["Access-Control-Allow-Headers"] == asked["Access-Control-Request-Headers"]
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    for posted, status in ((track(), 200), ({}, 400)):
        answer = await client.post("/v1/t", json=posted, headers={"Origin": "null"})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, "null")
        assert answer.headers["Vary"] == "Origin"


async def test_what_a_batch_says_of_all_is_looked_at_once(
    client: httpx.AsyncClient, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks = 0
    really = received.cleaned

    def cleaned(value: object) -> object:
        nonlocal looks
        looks += 1
        return really(value)  # type: ignore[type-var]

    monkeypatch.setattr(received, "cleaned", cleaned)
    odd = ", ".join(f'"k{number}": "\\ud800"' for number in range(100))
    tracks = ", ".join(f'{{"type": "track", "userId": "u", "event": "e{number}"}}' for number in range(300))
    body = f'{{"writeKey": "{KEY}", "context": {{{odd}}}, "batch": [{tracks}]}}'
    assert (await client.post("/v1/batch", content=body)).status_code == 200
    assert len(shelf.events) == 300
    assert looks <= 1


async def test_a_batch_that_says_more_of_all_than_any_event_may_hold_is_refused_before_its_events_are_looked_at(
    client: httpx.AsyncClient, shelf: Shelf
) -> None:
    context = {f"k{number}": "x" * 100 for number in range(400)}
    batch = [{"type": "track", "userId": "u", "event": "e"}]
    answer = await client.post("/v1/batch", json={"writeKey": KEY, "context": context, "batch": batch})
    assert (answer.status_code, answer.json()["code"]) == (400, "too_large")
    assert not shelf.events


async def test_a_host_that_is_none_is_no_mistake_of_ours(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/v1/projects/{KEY}/settings", headers={b"Host": b"\xff"})
    assert answer.status_code == 400


async def test_sdks_are_told_where_to_post(client: httpx.AsyncClient) -> None:
    for path in (f"/v1/projects/{KEY}/settings", f"/projects/{KEY}/settings"):
        answer = await client.get(path, headers={"Host": "events.shop.example", "X-Forwarded-Proto": "https"})
        told = answer.json()["integrations"]["Segment.io"]
        assert told == {"apiKey": KEY, "apiHost": "events.shop.example/v1", "protocol": "https"}
    assert (await client.get("/v1/projects/wrong/settings")).status_code == 404


async def test_what_is_not_there_is_told_as_json_too(client: httpx.AsyncClient) -> None:
    for method, path, status in (
        ("GET", "/v1/track", 405),
        ("POST", "/nothing", 404),
        ("POST", "/v1/merge", 400),
        ("DELETE", "/v1/t", 405),
    ):
        answer = await client.request(method, path, json=track())
        assert answer.status_code == status
        assert set(answer.json()) == {"code", "message"}
        assert (answer.headers["Server"], answer.headers["Cache-Control"]) == ("engage-sync", "no-store")


async def test_a_browsers_address_is_kept_and_a_servers_is_not(client: httpx.AsyncClient, shelf: Shelf) -> None:
    browser = {"library": {"name": "analytics.js"}}
    near = {"X-Forwarded-For": "203.0.113.7, 198.51.100.2"}
    for context, headers in (
        ({}, {}),
        (browser, {}),
        (browser, near),
        ({"direct": True}, near),
        ({"ip": "1.1.1.1", **browser}, near),
        (browser, {"X-Forwarded-For": "nonsense"}),
    ):
        assert (
            await client.post("/v1/p", json={"userId": "u", "context": context}, headers=headers)
        ).status_code == 200
    found = [body["context"].get("ip") for body in shelf.bodies]
    assert found == [None, "127.0.0.1", "198.51.100.2", "198.51.100.2", "1.1.1.1", "127.0.0.1"]


async def test_what_is_refused_is_counted_once_by_source_and_reason(client: httpx.AsyncClient) -> None:
    def counted() -> Counter[tuple[tuple[str, str], ...]]:
        return Counter({labels: int(number) for labels, number in telemetry.counted("collect_refused").items()})

    before = counted()
    await client.post("/v1/track", json={"userId": "u"})
    await client.post("/v1/batch", json={"batch": [track(1), {"type": "page"}, {"type": "page"}, 7]})
    await client.post("/v1/batch", content=b"{")
    assert counted() - before == {
        (("reason", "name"), ("source", "web")): 1,
        (("reason", "no_user"), ("source", "web")): 2,
        (("reason", "not_an_object"), ("source", "")): 1,
        (("reason", "invalid_json"), ("source", "")): 1,
    }
