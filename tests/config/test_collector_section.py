"""``collector``: where SDKs and webhooks post events to, and with which keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sync.config import Address, Settings
from sync.config.listen import clash, parse
from sync.errors import UsageError

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]

KEYS = "keys: {web: s3cret-key}"


def test_left_out_there_is_none(settings_of: Load) -> None:
    assert settings_of("version: 1\n").collector is None


def test_keys_and_webhooks_by_name(settings_of: Load) -> None:
    found = settings_of(
        "version: 1\ncollector: {keys: {web: '${KEY}', ios: b}, webhooks: {in: {secret: c}, open: {}, none: {secret: none}}}\n",
        {"KEY": "s3cret"},
    ).collector
    assert found is not None
    assert found.listen == Address("127.0.0.1", 8080)
    assert {name: key.get_secret_value() for name, key in found.keys.items()} == {"web": "s3cret", "ios": "b"}
    assert {name: secret and secret.get_secret_value() for name, secret in found.webhooks.items()} == {
        "in": "c",
        "open": None,
        "none": None,
    }
    assert "s3cret" not in repr(found)


def test_it_may_face_the_internet_and_may_be_switched_off(settings_of: Load) -> None:
    for written, expected in (
        ("192.0.2.1:80", Address("192.0.2.1", 80)),
        ("off", None),
        ('"[::1]:0"', Address("::1", 0)),
    ):
        found = settings_of(f"version: 1\ncollector: {{listen: {written}, {KEYS}}}\n").collector
        assert found is not None
        assert found.listen == expected


@pytest.mark.parametrize(
    ("section", "path", "sentence"),
    [
        ("{listen: off}", "collector", "has neither `keys` nor `webhooks`, so nobody could post anything: add a write key"),
        ("{keys: {web: a, ios: a}}", "collector.keys.ios", "is the same key as collector.keys.web: give each name a key of its own"),
        ("{keys: {in: a}, webhooks: {in: {}}}", "collector.webhooks.in", "is the name of a write key too: give one another name"),
        ("{keys: {'sql:x': a}}", "collector.keys.sql:x", "must start with a small Latin letter and go on with small letters, digits, `_` and `-`"),
        ("{keys: {web: a}, webhooks: {in: {secret: ''}}}", "collector.webhooks.in.secret", "must not be empty"),
        ("{keys: {web: a}, lisen: x}", "collector.lisen", "is not a known key; did you mean `listen`?"),
        ("{keys: {web: a}, listen: '127.0.0.1:9464'}", "collector.listen", "is where `web` listens already: give one of them another port"),
        ("{keys: {web: a}, listen: '0.0.0.0:9464'}", "collector.listen", "is where `web` listens already: give one of them another port"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(problems_of: Problems, section: str, path: str, sentence: str) -> None:
    assert problems_of(f"version: 1\ncollector: {section}\n") == [f"sync.yaml:2: {path}: {sentence}"]


@pytest.mark.parametrize("key", ["''", "'a:b'", "'a b'", "'a/b'", "é", "'a?'", "'%41'", f"'{'a' * 201}'"])
def test_a_write_key_must_fit_into_a_url_and_is_not_repeated(problems_of: Problems, key: str) -> None:
    (problem,) = problems_of(f"version: 1\ncollector: {{keys: {{web: {key}}}}}\n")
    assert problem.startswith("sync.yaml:2: collector.keys.web: must be 1 to 200 letters, digits and signs")
    assert len(key) < 5 or key.strip("'") not in problem


def test_keys_that_cannot_be_filled_in_are_not_the_same(problems_of: Problems) -> None:
    found = problems_of("version: 1\ncollector: {keys: {web: '${A}', ios: '${B}'}}\n")
    assert len(found) == 2
    assert all("is not set" in each for each in found)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "localhost:80", True),
        ("0.0.0.0:80", "192.0.2.1:80", True),
        ("192.0.2.1:80", "192.0.2.2:80", False),
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
        ("off", "127.0.0.1:80", False),
    ],
)
def test_two_addresses_may_be_one(one: str, other: str, expected: bool) -> None:
    assert clash(parse(one), parse(other)) is clash(parse(other), parse(one)) is expected


def test_addresses_of_the_command_line_win_and_keep_the_rules(settings_of: Load) -> None:
    settings = settings_of(f"version: 1\ncollector: {{{KEYS}}}\n")
    both = settings.listening_on(web="127.0.0.1:1", collector="192.0.2.1:2")
    assert both.collector is not None
    assert (both.web.listen, both.collector.listen) == (Address("127.0.0.1", 1), Address("192.0.2.1", 2))
    assert settings.listening_on(web=None, collector=None) == settings
    with pytest.raises(UsageError, match=r"^the collector and `web` cannot both listen on 0\.0\.0\.0:9464: give"):
        settings.listening_on(web=None, collector="0.0.0.0:9464")
    with pytest.raises(UsageError, match=r"^--collector-listen must be HOST:PORT"):
        settings.listening_on(web=None, collector="8080")
    with pytest.raises(UsageError, match=r"^--collector-listen wants a `collector:` with write keys"):
        settings_of("version: 1\n").listening_on(web=None, collector="127.0.0.1:1")
    assert settings_of("version: 1\n").listening_on(web=None, collector="off").collector is None
