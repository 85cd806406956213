"""Requests that nobody should send: broken on every level from the bytes of the head to the meaning of the body.

Each is made from a `Random`, so that a run can be repeated. ``answered`` says whether it is complete, and its sender must
be told something; of the others the server may wait for the rest, or hang up.
"""

from __future__ import annotations

import gzip
import json
import zlib
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import orjson

KEY = "write-key-of-the-fuzz"
PATHS = (
    "/v1/batch",
    "/v1/b",
    "/v1/import",
    "/beacon/v1/batch",
    "/v1/t",
    "/v1/identify",
    "/v1/page",
    "/v1/a",
    "/v1/webhook/hook",
)
FIELDS = [
    "type",
    "userId",
    "anonymousId",
    "messageId",
    "event",
    "timestamp",
    "originalTimestamp",
    "sentAt",
    "receivedAt",
    "context",
    "properties",
    "traits",
    "integrations",
    "writeKey",
    "_metadata",
    "name",
    "groupId",
    "previousId",
    "batch",
]


@dataclass(frozen=True, slots=True)
class Malformed:
    """The bytes of one request, and what kind of trouble it is."""

    kind: str
    raw: bytes
    answered: bool = True


def malformed(random: Random) -> Malformed:
    """One of them."""
    make = random.choice(_KINDS)
    raw, answered = make(random)
    return Malformed(make.__name__.strip("_"), raw, answered)


def request(
    body: bytes,
    *,
    path: str = "/v1/batch",
    method: str = "POST",
    headers: dict[str, str] | None = None,
    length: str | None = None,
) -> bytes:
    """A request as it goes over the wire."""
    fields = {
        "Host": "collector.example",
        "Authorization": "Basic " + b64encode(f"{KEY}:".encode()).decode(),
        "Content-Length": str(len(body)) if length is None else length,
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value != "-")
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1", "replace") + body


def _valid(random: Random) -> bytes:
    event = {
        "type": "track",
        "event": "Fuzzed",
        "userId": f"fuzz-{random.randrange(50)}",
        "properties": {"a": [1, {"b": "c"}]},
    }
    return orjson.dumps({"batch": [event] * random.randrange(1, 5), "sentAt": "2026-01-01T00:00:00Z"})


def _mutated(random: Random, raw: bytes) -> bytes:
    changed = bytearray(raw)
    for _ in range(random.randrange(1, 6)):
        place = random.randrange(len(changed)) if changed else 0
        action = random.randrange(4)
        if action == 0 and changed:
            changed[place] = random.randrange(256)
        elif action == 1:
            changed[place:place] = random.randbytes(random.randrange(1, 9))
        elif action == 2:
            del changed[place : place + random.randrange(1, 20)]
        else:
            changed[place:place] = random.choice(
                (b"\0", b"\xff\xfe", b'"', b"\\u0000", b"\\ud800", b"[[[", b"}}", b"1e999", b"NaN")
            )
    return bytes(changed)


def _json(random: Random) -> tuple[bytes, bool]:
    return request(_mutated(random, _valid(random)), path=random.choice(PATHS)), True


def _text(random: Random) -> tuple[bytes, bool]:
    text = _valid(random).decode()
    encoding = random.choice(("utf-16", "utf-32", "utf-8-sig", "cp037", "utf-7"))
    return request(text.encode(encoding), headers={"Content-Type": f"application/json; charset={encoding}"}), True


def _compressed(random: Random) -> tuple[bytes, bool]:
    plain = random.choice((_valid(random), b" " * 3_000_000, b"[" * 600_000, b""))
    body = random.choice((gzip.compress, zlib.compress, bytes))(plain)
    body = random.choice((body, body[: random.randrange(len(body) + 1)], body + b"more", body * 2))
    if random.random() < 0.4:
        body = _mutated(random, body)
    encoding = random.choice(
        ("gzip", "deflate", "x-gzip", "br", "zstd", "gzip, gzip", "GZIP", "\u00e9", "identity", ",")
    )
    return request(body[:700_000], headers={"Content-Encoding": encoding}), True


def _size(random: Random) -> tuple[bytes, bool]:
    event: dict[str, object] = {"type": "page", "userId": "fuzz"}
    kind = random.randrange(5)
    if kind == 0:
        return request(orjson.dumps({"batch": [event] * random.randrange(2_400, 2_700)})), True
    if kind == 1:
        return request(
            orjson.dumps({"batch": [{**event, "properties": {"x": "y" * random.randrange(32_000, 33_500)}}]})
        ), True
    if kind == 2:
        return request(orjson.dumps({"context": {"x": "y" * 31_000}, "batch": [event] * 2_000})), True
    if kind == 3:
        return request(b"", length=str(random.choice((512_001, 10**9, 10**18, 2**64, 2**200)))), False
    return request(b"1" * random.randrange(490_000, 530_000)), True


def _depth(random: Random) -> tuple[bytes, bool]:
    levels = random.choice((10, 60, 70, 250, 260, 1_000, 1_030, 5_000, 100_000))
    opened, closed = random.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
    nested = opened * levels + "1" + (closed * levels if random.random() < 0.8 else "")
    body = random.choice(
        (nested, f'{{"batch":[{{"type":"page","userId":"fuzz","properties":{nested}}}]}}', f'{{"batch":{nested}}}')
    )
    return request(body.encode()[:500_000], path=random.choice(PATHS)), True


def _anything(random: Random, depth: int = 3) -> object:
    scalars = (
        None, True, False, 0, -1, 10**18, 1.5, 1e308, "", "x", "\0", "\ud800", "x" * 200, "x" * 2_000, "2026-01-01", "0000-99-99",
        "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00", 10**30, -(10**400), float("nan"), float("inf"), "\u202e", "track", "identify",
    )  # fmt: skip
    kind = random.randrange(5) if depth else 0
    if kind == 3:
        return [_anything(random, depth - 1) for _ in range(random.randrange(4))]
    if kind == 4:
        return {
            random.choice((*FIELDS, "", "\0", "x" * 50)): _anything(random, depth - 1)
            for _ in range(random.randrange(6))
        }
    return random.choice(scalars)


def _meaning(random: Random) -> tuple[bytes, bool]:
    event = {
        "type": "track",
        "event": "Fuzzed",
        "userId": "fuzz",
        **{random.choice(FIELDS): _anything(random) for _ in range(4)},
    }
    document = random.choice(
        (event, {"batch": [event, _anything(random)]}, [event], _anything(random), {**event, "batch": [event]})
    )
    return request(json.dumps(document).encode(), path=random.choice(PATHS)), True


def _credentials(random: Random) -> tuple[bytes, bool]:
    given = random.choice(
        (
            "Basic",
            "Basic ",
            "Basic !!!!",
            "Basic " + "A" * 7_000,
            "Bearer x",
            "basic OnB3",
            "\xff\xfe",
            "Basic /w==",
            "Digest a=b",
            KEY,
        )
    )
    body = orjson.dumps(
        {"batch": [{"type": "page", "userId": "fuzz", "writeKey": random.choice(("", "x", 7, None, KEY))}]}
    )
    return request(body, path=random.choice(PATHS), headers={"Authorization": given}), True


def _address(random: Random) -> tuple[bytes, bool]:
    path = random.choice(
        ("/", "//", "/v1", "/v1/", "/v1//batch", "/v1/batch/", "/v1/../v1/batch", "/v1/%00", "/v1/webhook/%ff", "/v1/webhook/%2e%2e%2f",
         "/v1/projects/%c3%28/settings", "/projects//settings", "/v1/webhook/" + "x" * 3_000, "/v1/batch?writeKey=%ff&writeKey[]=1",
         "/v1/merge", "http://elsewhere.example/v1/batch", "/v1/t;x=y", "/v1/batch?" + "a=b&" * 500, "/pixel/v1/track", "/v1/webhook/hook")
    )  # fmt: skip
    method = random.choice(("POST", "GET", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE"))
    origin = random.choice(("-", "null", "https://shop.example", "\xe9"))
    return request(_valid(random), path=path, method=method, headers={"Origin": origin}), True


def _head(random: Random) -> tuple[bytes, bool]:
    """Heads that are no heads; the server may also just hang up."""
    body = _valid(random)
    kind = random.randrange(9)
    made = (
        lambda: _mutated(random, request(body)[:200]) + body,
        lambda: request(body, headers={"X-Long": "y" * random.choice((8_000, 9_000, 70_000))}),
        lambda: request(body, headers={f"X-{number}": "y" for number in range(random.choice((100, 200, 3_000)))}),
        lambda: request(
            body, length=random.choice(("-1", "x", "", "1e3", "0x10", f"{len(body)}, {len(body)}", "+5", " 5 5"))
        ),
        lambda: request(
            body, headers={"Transfer-Encoding": random.choice(("chunked", "gzip", "chunked, chunked", "x"))}
        ),
        lambda: request(body, length="-", headers={"Transfer-Encoding": "chunked"}),
        lambda: random.choice(
            (
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                b"GET /\r\n",
                b"\r\n" * 50,
            )
        ),
        lambda: random.randbytes(random.randrange(1, 2_000)),
        lambda: request(
            body,
            headers={"Expect": random.choice(("100-continue", "200-maybe")), "Connection": "upgrade", "Upgrade": "x"},
        ),
    )[kind]()
    return made, False


def _chunks(random: Random) -> tuple[bytes, bool]:
    body = _valid(random)
    size = random.choice(
        (f"{len(body):x}", f"{len(body) + 5:x}", "-1", "ffffffffffffffffff", "zz", "", f"{len(body):x};x=y")
    )
    raw = f"{size}\r\n".encode() + body + random.choice((b"\r\n0\r\n\r\n", b"0\r\n\r\n", b"\r\n", b""))
    return request(raw, length="-", headers={"Transfer-Encoding": "chunked"}), False


def _signature(random: Random) -> tuple[bytes, bool]:
    given = random.choice(("", "x", "0" * 40, "sha1=" + "0" * 40, "\xff", "y" * 5_000))
    return request(_valid(random), path="/v1/webhook/hook", headers={"X-Signature": given}), True


_KINDS: tuple[Callable[[Random], tuple[bytes, bool]], ...] = (
    _json, _json, _text, _compressed, _size, _depth, _meaning, _meaning, _credentials, _address, _head, _chunks, _signature,
)  # fmt: skip
