"""A configuration that is wrong is told what is wrong, where, and what was meant; nothing else happens."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.bad_input.conftest import definitions
from tests.command import API_KEY, Said, engage_sync

RIGHT = {
    "version": 1,
    "store": "sqlite:///{folder}/store.db",
    "sources": {"shop": {"url": "sqlite:///{folder}/shop.db"}},
    "destinations": {"pushwoosh": {"type": "pushwoosh", "api_key": API_KEY, "app_code": "APP"}},
    "defaults": {"source": "shop", "destinations": ["pushwoosh"]},
    **definitions(),
}


def delta(config: Path) -> Said:
    return engage_sync("delta", "--config", str(config))


def is_refused(said: Said, config: Path, *words: str) -> None:
    """Exit code 2, and lines that name the file and hold the words; the folder holds nothing else than before."""
    assert said.code == 2, said
    assert said.out == ""
    assert all(line.startswith("error: ") for line in said.err.splitlines()), said.err
    assert str(config.name) in said.err
    for word in words:
        assert word in said.err, said.err
    for never in ("Traceback", "unexpected", API_KEY):
        assert never not in said.err
    assert [path.name for path in config.parent.iterdir()] == ([config.name] if config.exists() else [])


def audience(**more: object) -> dict[str, object]:
    return {"name": "Members", "sql": "select 1 as user_id"} | more


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"audience": []}, ("audience", "did you mean", "audiences")),
        ({"audiences": [audience(shedule="every 1 hours")]}, ("audiences[0].shedule", "schedule")),
        ({"audiences": [audience(), audience()]}, ("members", "audiences[1]")),
        ({"audiences": [audience(name="Email")]}, ("audiences[0].name", "Pushwoosh", "rename it")),
        (
            {"audiences": [audience(destinations=["pushwosh"])]},
            ("audiences[0].destinations[0]", "no such destination", "pushwoosh"),
        ),
        ({"audiences": [audience(source="shopp")]}, ("audiences[0].source", "no such source", "shop")),
        ({"audiences": [audience(sql=None)]}, ("audiences[0]", "sql")),
        ({"audiences": [audience(guard={"max_exits": "lots"})]}, ("audiences[0].guard.max_exits",)),
        ({"audiences": "all of them"}, ("audiences",)),
        ({"version": 2}, ("version",)),
        ({"store": "${ENGAGE_SYNC_TEST_UNSET}"}, ("ENGAGE_SYNC_TEST_UNSET", "not set")),
        ({"store": "${file:/nonexistent/secret}"}, ("store", "cannot be read", "No such file")),
        ({"store": "${file:/}"}, ("store",)),
        ({"store": "not a url"}, ("store",)),
        ({"store": "mysql://root@localhost/x"}, ("store",)),
        ({"sources": {"shop": {"url": "not a url"}}}, ("sources.shop.url",)),
        ({"traits": [{"name": "Members", "sql": "select 1 as user_id, 2 as value"}]}, ("members", "traits[0]")),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_value_is_named_by_its_path(
    tmp_path: Path, sections: dict[str, object], words: tuple[str, ...]
) -> None:
    config = tmp_path / "sync.yaml"
    config.write_text(yaml.safe_dump(RIGHT | sections).replace("{folder}", str(tmp_path)))
    is_refused(delta(config), config, *words)


@pytest.mark.parametrize(
    "content",
    [
        b"version: 1\nsources: {shop: [\n",
        b"- version: 1\n",
        b"just a sentence",
        b"",
        b"\x00\x01\x02\xff\xfe",
        b"\xff\xfe\x00\xd8",
        b"version: &a 1\nstore: *b\n",
        b"!!python/object/apply:os.system ['true']",
        b"version: 1\nversion: 1\n",
        b"a: &a [1,1,1,1,1,1,1,1]\n" + b"".join(b"b%d: &b%d [*a,*a,*a,*a,*a,*a]\n" % (n, n) for n in range(99)),
        b"version: 1\nproject: " + b"x" * 20_000_000,
        b"[" * 100_000,
    ],
    ids=[
        "broken", "list", "text", "empty", "binary", "utf-16", "alias", "object", "doubled", "bomb", "huge", "deep"
    ],
)  # fmt: skip
def test_what_is_no_configuration_at_all_is_refused(tmp_path: Path, content: bytes) -> None:
    config = tmp_path / "sync.yaml"
    config.write_bytes(content)
    said = delta(config)
    is_refused(said, config)
    assert len(said.err) < 100_000


def test_a_missing_configuration_says_how_to_begin(tmp_path: Path) -> None:
    config = tmp_path / "sync.yaml"
    is_refused(delta(config), config, "engage-sync init")


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    said = delta(tmp_path)
    assert said.code == 2
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err


def test_every_problem_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    config = tmp_path / "sync.yaml"
    config.write_text(yaml.safe_dump(RIGHT | {"version": 7, "audience": [], "store": 5, "defaults": {"sorce": "shop"}}))
    said = delta(config)
    is_refused(said, config, "version", "audience", "store", "defaults.sorce")
    assert len(said.err.splitlines()) >= 4
