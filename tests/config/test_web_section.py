"""``web``: where the daemon shows its health and metrics, and who may look."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pydantic import SecretStr

from sync.config import Address, Settings, WebSettings
from sync.errors import UsageError

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

WRONG = "must be HOST:PORT, like `127.0.0.1:9464` or `[::1]:9464` (port 0 is a free one), or `off`"
EXPOSED = "can be reached from other hosts: give a `token` beside it, or listen on 127.0.0.1"


def web(settings_of: Load, section: str, **environment: str) -> WebSettings:
    return settings_of(f"version: 1\nweb: {section}\n", environment).web


def test_left_out_it_listens_for_this_host_only(settings_of: Load) -> None:
    assert settings_of("version: 1\n").web == WebSettings(Address("127.0.0.1", 9464))
    assert web(settings_of, "{token: }") == WebSettings(Address("127.0.0.1", 9464))


@pytest.mark.parametrize(
    ("written", "host", "port", "loopback"),
    [
        ("127.0.0.1:0", "127.0.0.1", 0, True),
        ("127.9.9.9:80", "127.9.9.9", 80, True),
        ("localhost:9464", "localhost", 9464, True),
        ('"[::1]:9464"', "::1", 9464, True),
        ("192.0.2.7:9464", "192.0.2.7", 9464, False),
        ('"[::]:65535"', "::", 65535, False),
        ("sync-1.example.org:9464", "sync-1.example.org", 9464, False),
        ("localhost.example.org:9464", "localhost.example.org", 9464, False),
    ],
)
def test_an_address_is_a_host_and_a_port(settings_of: Load, written: str, host: str, port: int, loopback: bool) -> None:
    found = web(settings_of, f"{{listen: {written}, token: t}}").listen
    assert found == Address(host, port)
    assert (str(found), found.is_loopback) == (written.strip('"'), loopback)


@pytest.mark.parametrize(
    "section", ["off", '"off"', "OFF", "{listen: off}", '{listen: "off"}', "false", "{listen: no}"]
)
def test_it_can_be_switched_off(settings_of: Load, section: str) -> None:
    assert web(settings_of, section).listen is None


@pytest.mark.parametrize(
    "written",
    [
        "9464",
        "true",
        '":9464"',
        '"[]:9464"',
        "127.0.0.1",
        '"127.0.0.1:"',
        "127.0.0.1:65536",
        "127.0.0.1:-1",
        "127.0.0.1:٩",
        '"::1:9464"',
        '"[127.0.0.1]:80"',
        "http://127.0.0.1:80",
        "a b:80",
        '"a\\n:80"',
        "-:80",
        '""',
    ],
)
def test_what_is_no_address_is_a_problem(problems_of: Problems, written: str) -> None:
    assert problems_of(f"version: 1\nweb: {{listen: {written}, token: t}}\n") == [f"sync.yaml:2: web.listen: {WRONG}"]


@pytest.mark.parametrize("token", ["", ", token: ", ', token: ""', ", token: '${TOKEN:-}'"])
def test_without_a_token_other_hosts_must_not_reach_it(problems_of: Problems, token: str) -> None:
    listen = "0.0.0.0:9464"
    assert problems_of(f"version: 1\nweb: {{listen: {listen}{token}}}\n") == [f"sync.yaml:2: web.listen: {EXPOSED}"]


def test_the_short_form_must_be_for_this_host_only(settings_of: Load, problems_of: Problems) -> None:
    assert web(settings_of, "127.0.0.1:80") == WebSettings(Address("127.0.0.1", 80))
    assert problems_of("version: 1\nweb: 0.0.0.0:80\n") == [f"sync.yaml:2: web.listen: {EXPOSED}"]


def test_a_token_may_be_for_this_host_too_and_an_empty_one_is_none(settings_of: Load) -> None:
    assert web(settings_of, "{token: '${TOKEN:-}'}").token is None
    token = web(settings_of, "{token: '${TOKEN:-}'}", TOKEN="s3cret").token
    assert token is not None
    assert token.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(token)


@pytest.mark.parametrize("token", ['" "', '"hunter2\\nb"', "hunter2é", "[hunter2]"])
def test_a_token_must_fit_into_a_header_and_is_not_repeated(problems_of: Problems, token: str) -> None:
    (problem,) = problems_of(f"version: 1\nweb: {{token: {token}}}\n")
    assert problem.startswith("sync.yaml:2: web.token: must be ")
    assert "hunter2" not in problem


def test_a_variable_that_is_missing_is_the_only_problem(problems_of: Problems) -> None:
    assert len(problems_of("version: 1\nweb: {listen: '0.0.0.0:1', token: '${TOKEN}'}\n")) == 1
    assert len(problems_of("version: 1\nweb: {listen: '${LISTEN}'}\n")) == 1


def test_an_address_of_the_command_line_wins_and_keeps_the_rules() -> None:
    quiet, told = WebSettings(Address("127.0.0.1", 1)), WebSettings(None, SecretStr("t"))
    assert quiet.listening_on("[::1]:0").listen == Address("::1", 0)
    assert quiet.listening_on("off").listen is None
    assert told.listening_on("192.0.2.7:1") == WebSettings(Address("192.0.2.7", 1), told.token)
    with pytest.raises(UsageError, match=r"^--web-listen 0\.0\.0\.0:9464 can be reached from other hosts: set"):
        quiet.listening_on("0.0.0.0:9464")
    with pytest.raises(UsageError, match=r"^--web-listen must be HOST:PORT"):
        told.listening_on("9464")
