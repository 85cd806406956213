"""The types of single fields: how one value is read, and how it appears in the JSON Schema.

A check raises ``ValueError`` with the rest of a sentence ("must be …"), never with the value.
"""

from __future__ import annotations

import ipaddress
import math
import re
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeAlias
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, StringConstraints, WithJsonSchema

from sync.config import durations, listen

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+_.-]*://")
_POSTGRES = re.compile(r"(postgres|postgresql|postgresql\+psycopg)://", re.IGNORECASE)
_SERVERS = ("mysql", "mysql+pymysql", "mariadb", "mariadb+pymysql")
_READABLE = ("sqlite", "sqlite+pysqlite", "duckdb", *_SERVERS)
_RATE = re.compile(r"(?P<count>\d{1,9}(\.\d{1,6})?)\s*/\s*(?P<unit>[a-z]+)", re.ASCII)


def _whole_seconds(seconds: float) -> float:
    if seconds < 1 or seconds != int(seconds):
        raise ValueError("must be a whole number of seconds, at least one")
    return seconds


def _linger(seconds: float) -> float:
    if seconds > 60:
        raise ValueError("must be at most `60s`")
    return seconds


def _lateness(seconds: float) -> float:
    # What was read once is known again by its message id, for as long as the event is kept: a day at least.
    if seconds > 12 * 3600:
        raise ValueError("must be at most `12 hours`")
    return seconds


def _kept(value: object) -> float:
    if value == "forever":
        return math.inf
    seconds = durations.parse(value)
    # Within a day, an event that comes twice must be known again.
    if seconds < 86_400:
        raise ValueError("must be at least `1 day`: an event that comes twice is known by the first")
    return seconds


def _start(value: object) -> int | float | str:
    """The cursor of a row: a number, or an instant or other text as the database writes it."""
    if isinstance(value, datetime):
        return (value.astimezone(UTC) if value.tzinfo else value).isoformat(" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, str) and value.strip():
        text = _line(value)
        return int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else text
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63:
        return value
    raise ValueError(
        "must be `beginning`, or the cursor of the first row to send: a number, or an instant like `2026-05-17`"
    )


def _rate(value: object) -> float | None:
    """Requests per second, ``None`` without limit."""
    if value is None or (isinstance(value, str) and value.strip().lower() == "none"):
        return None
    rate = math.nan
    if isinstance(value, str) and (match := _RATE.fullmatch(value.strip().lower())):
        rate = float(match["count"]) / durations.parse(f"1 {match['unit']}")
    elif isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            rate = float(value)
        except (ValueError, OverflowError):
            rate = math.nan
    if not 0 < rate < math.inf:
        raise ValueError("must be `none`, a number of requests per second, or like `600/minute`")
    return rate


def _fraction(value: object) -> float:
    """``30%`` and ``0.3`` are the same; a bare 30 is refused, because it could be meant either way."""
    fraction = math.nan
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        text = str(value).strip()
        try:
            fraction = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            fraction = math.nan
    if not 0 <= fraction <= 1:
        raise ValueError("must be a share between 0% and 100%, like `30%` or `0.3`")
    return fraction


def _flag(value: object) -> object:
    if isinstance(value, bool) or (isinstance(value, str) and value.lower() in {"true", "false"}):
        return value
    raise ValueError("must be true or false")


def _plain_flag(value: object) -> object:
    if isinstance(value, bool):
        return value
    raise ValueError("must be true or false, written out: below `mappings` no `${VAR}` is filled in")


def _fields(value: object) -> object:
    if isinstance(value, dict):
        return value
    raise ValueError("must be an object: the action's fields, each with a value or a directive")


def _no_model(value: object) -> None:
    if value not in (None, ""):
        raise ValueError("belongs to a Reverse ETL model, whose rows are no events: leave such a mapping out")


def _no_answer(value: object) -> object:
    """A list, but not what Segment's Public API wraps around one."""
    inner = value.get("data", value) if isinstance(value, dict) else value
    if isinstance(inner, dict) and "subscriptions" in inner:
        raise ValueError("is Segment's whole answer: paste the list that stands in its `subscriptions`")
    return value


def _not_flag(value: object) -> object:
    # To Python, and so to pydantic, true is 1.
    if isinstance(value, bool):
        raise ValueError("must be a whole number")  # noqa: TRY004 -- pydantic collects ValueError only
    return value


def _words(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be empty")
    if "\0" in text:
        raise ValueError("must not contain a NUL character")
    return text


def _line(text: str) -> str:
    text = _words(text).strip()
    if any(ord(character) < 32 or ord(character) == 127 for character in text):
        raise ValueError("must be one line without control characters")
    return text


def _filled(secret: SecretStr) -> SecretStr:
    if not secret.get_secret_value().strip():
        raise ValueError("must not be empty")
    return secret


def _header_value(secret: SecretStr) -> SecretStr:
    _header_text(secret.get_secret_value())
    return secret


def _header_text(text: str) -> str:
    # Both travel in HTTP headers: a line break would end the header, anything but ASCII has no agreed encoding.
    if not text:
        raise ValueError("must not be empty")
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ValueError("must be plain ASCII without control characters or spaces around it")
    return text


def _write_key(secret: SecretStr) -> SecretStr:
    """It travels as a user name before a `:`, and in the path of a URL."""
    if not re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=@-]{1,200}", secret.get_secret_value()):
        raise ValueError(
            "must be 1 to 200 letters, digits and signs that may stand in a URL, like `-` and `_`: "
            "`openssl rand -hex 16` makes a good one"
        )
    return secret


def _none(value: object) -> object:
    return None if isinstance(value, str) and value.strip().lower() == "none" else value


def _left_out(value: object) -> object:
    """``${WEB_TOKEN:-}`` without the variable is no token at all."""
    return None if value == "" else value


def _database_url(secret: SecretStr) -> SecretStr:
    url = secret.get_secret_value()
    if not url:
        raise ValueError("must not be empty: give a database URL like `postgresql://host/database`")
    if not _SCHEME.match(url) or not url.isprintable() or url != url.strip():
        raise ValueError("must be a database URL like `sqlite:///shop.db` or `postgresql://host/database`")
    if not _POSTGRES.match(url):
        return SecretStr(url)
    _check_server(url)
    return SecretStr(_POSTGRES.sub("postgresql+psycopg://", url, count=1))


def _check_server(url: str) -> None:
    """A password with a bare `@` would be cut there, and the rest of it be shown as the name of a host."""
    before_options = url.partition("?")[0].partition("://")[2]
    if before_options.count("@") > 1:
        raise ValueError("has more than one `@`: write %40 for an `@` that belongs to the user name or password")
    port = before_options.rpartition("@")[2].partition("/")[0].rpartition("]")[2].partition(":")[2]
    if port and not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ValueError("has a port that is no number up to 65535: write DATABASE://USER:PASSWORD@HOST:PORT/NAME")


def is_postgresql(url: SecretStr) -> bool:
    """Whether a normalised database URL is PostgreSQL's."""
    return url.get_secret_value().startswith("postgresql+psycopg://")


def _source_url(secret: SecretStr) -> SecretStr:
    url = _database_url(secret)
    scheme, _, rest = url.get_secret_value().partition("://")
    if not is_postgresql(url) and scheme not in _READABLE:
        raise ValueError("must be sqlite, postgresql (with psycopg), duckdb, mysql or mariadb (with pymysql)")
    if scheme in _SERVERS:
        _check_server(url.get_secret_value())
    if scheme == "duckdb" and rest.partition("?")[0] in {"", "/", "/:memory:"}:
        raise ValueError("must name a file, like `duckdb:///warehouse.duckdb`")
    return url


def _store_url(secret: SecretStr) -> SecretStr:
    url = _database_url(secret)
    text = url.get_secret_value()
    if is_postgresql(url):
        return url
    scheme, _, rest = text.partition("://")
    if scheme not in {"sqlite", "sqlite+pysqlite"}:
        raise ValueError("must be sqlite or postgresql (with psycopg): `sqlite:///engage-sync.db` or `postgresql://…`")
    if not rest.startswith("/") or rest.partition("?")[0] in {"/", "/:memory:"}:
        raise ValueError("must name a file, like `sqlite:///engage-sync.db`: a store in memory forgets what was sent")
    return url


def _base_url(text: str) -> str:
    """Without a slash at the end. Plain http only to this host, since the key travels in a header."""
    parts, host = _web_address(text)
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise ValueError("must be without user name, password, `?` and `#`")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("must start with https://, for the key would travel in clear: http is for this host only")
    return text.rstrip("/")


def _alert_url(secret: SecretStr) -> SecretStr:
    """An address is as good as a password to whoever may post to it. Plain http only to this host."""
    text = secret.get_secret_value()
    parts, host = _web_address(text)
    if "@" in parts.netloc or "#" in text:
        raise ValueError("must be without user name, password and `#`")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("must start with https://, for alerts would travel in clear: http is for this host only")
    return secret


def _web_address(text: str) -> tuple[SplitResult, str]:
    """The parts of an http or https URL, and its host."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port  # a port out of range raises here
    except ValueError:
        host = None
    if not host or parts.scheme not in {"http", "https"} or not re.fullmatch(r"[!-~]+", text) or "\\" in text:
        raise ValueError("must be a URL like `https://host`")
    return parts, host


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


_DURATION_SCHEMA = {"type": "string", "examples": ["10s", "5 minutes", "24h", "30 days"]}

Duration: TypeAlias = Annotated[float, BeforeValidator(durations.parse), WithJsonSchema(_DURATION_SCHEMA)]
_WAIT = Annotated[float, BeforeValidator(durations.wait), WithJsonSchema(_DURATION_SCHEMA)]
Linger: TypeAlias = Annotated[_WAIT, AfterValidator(_linger), WithJsonSchema(_DURATION_SCHEMA)]
Lateness: TypeAlias = Annotated[_WAIT, AfterValidator(_lateness), WithJsonSchema(_DURATION_SCHEMA)]
EventsKept: TypeAlias = Annotated[
    float,
    BeforeValidator(_kept),
    WithJsonSchema({"anyOf": [_DURATION_SCHEMA, {"const": "forever"}]}),
]
Interval: TypeAlias = Annotated[Duration, AfterValidator(_whole_seconds), WithJsonSchema(_DURATION_SCHEMA)]
Rate: TypeAlias = Annotated[
    float | None,
    BeforeValidator(_rate),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string"}, {"type": "null"}]}),
]
Fraction: TypeAlias = Annotated[
    float,
    BeforeValidator(_fraction),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": 1}, {"type": "string"}]}),
]
Flag: TypeAlias = Annotated[bool, BeforeValidator(_flag)]
Count: TypeAlias = Annotated[int, BeforeValidator(_not_flag)]
PlainFlag: TypeAlias = Annotated[bool, BeforeValidator(_plain_flag), WithJsonSchema({"type": "boolean"})]
Fields: TypeAlias = Annotated[dict[str, Any], BeforeValidator(_fields), WithJsonSchema({"type": "object"})]
NoAnswer = BeforeValidator(_no_answer)
NoModel: TypeAlias = Annotated[None, BeforeValidator(_no_model), WithJsonSchema({"enum": [None, ""]})]
Words: TypeAlias = Annotated[str, AfterValidator(_words), Field(min_length=1)]
Line: TypeAlias = Annotated[str, AfterValidator(_line), Field(min_length=1)]
ActionName: TypeAlias = Annotated[
    Line, WithJsonSchema({"type": "string", "examples": ["updateUserProfile", "trackEvent"]})
]
Name: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]*$", max_length=100)]
Key: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", max_length=255)]
HeaderText: TypeAlias = Annotated[str, AfterValidator(_header_text)]
HeaderSecret: TypeAlias = Annotated[SecretStr, AfterValidator(_header_value), WithJsonSchema({"type": "string"})]
Token: TypeAlias = Annotated[HeaderSecret | None, BeforeValidator(_left_out)]
WriteKey: TypeAlias = Annotated[SecretStr, AfterValidator(_write_key), WithJsonSchema({"type": "string"})]
Start: TypeAlias = Annotated[
    Any,
    BeforeValidator(_start),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "examples": ["beginning"]}]}),
]
Listen: TypeAlias = Annotated[
    listen.Address | None,
    BeforeValidator(listen.parse),
    WithJsonSchema({"anyOf": [{"type": "string", "examples": ["127.0.0.1:9464", "off"]}, {"const": False}]}),
]
SourceUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_source_url), WithJsonSchema({"type": "string"})]
StoreUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_store_url), WithJsonSchema({"type": "string"})]
BaseUrl: TypeAlias = Annotated[str, AfterValidator(_base_url)]
AlertUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_alert_url), WithJsonSchema({"type": "string"})]
Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_filled), WithJsonSchema({"type": "string"})]
WebhookSecret: TypeAlias = Annotated[Secret | None, BeforeValidator(_none)]
