"""A command line that makes no sense is told so in one line, with what comes close."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bad_input.conftest import definitions, is_one_sentence
from tests.command import Project, engage_sync, serving


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = definitions()
    found["audiences"].append({"name": "Dormant", "sql": "select 1 as user_id", "enabled": False})
    with serving(tmp_path, f"sqlite:///{tmp_path / 'store.db'}", f"sqlite:///{tmp_path / 'shop.db'}", **found) as made:
        yield made


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("delta", "Membres"), ("no definition 'Membres'", "'Members'")),
        (("plan", "spent"), ("no definition 'spent'", "'spend'")),
        (("backfill", "Members", "nothing like it"), ("no definition 'nothing like it'",)),
        (("audience", "sql", "member"), ("no definition 'member'", "'members'")),
        (("audience", "members", "member"), ("no definition 'member'", "'members'")),
        (("runs", "member"), ("no definition 'member'", "'members'")),
        (("delta", "Dormant"), ("'Dormant' is switched off",)),
        (("delta", "--as-of", "nonsense"), ("--as-of", "'nonsense' is no time", "2026-11-21T10:00:00Z")),
        (("plan", "--as-of", "2026-02-30"), ("--as-of", "no time")),
        (("plan", "--as-of", "0001-01-01T00:00:00+14:00"), ("--as-of", "before the year 1")),
        (("backfill", "--destination", "pushwosh"), ("no destination 'pushwosh'", "pushwoosh")),
        (("parked", "list", "--destination", "nowhere"), ("no destination 'nowhere'", "pushwoosh")),
        (("parked", "redrive", "--all", "--destination", "nowhere"), ("no destination 'nowhere'", "pushwoosh")),
        (("parked", "drop"), ("--all",)),
        (("parked", "drop", "u1", "--all"), ("--all",)),
        (("parked", "redrive"), ("--all",)),
        (("parked", "show", "u1"), ("'u1' is not parked",)),
        (("parked", "list", "--limit", "0"), ("--limit",)),
        (("runs", "show", "77"), ("no run 77",)),
        (("runs", "show", "x"), ("RUN_ID",)),
        (("runs", "show", str(10**30)), ("RUN_ID",)),
        (("delta", "--wait", "-1"), ("--wait",)),
        (("delta", "--wait", "nan"), ("--wait",)),
        (("delta", "--forc"), ("--force",)),
        (("status", "--log-level", "loud"), ("loud", "debug")),
    ],
    ids=" ".join,
)
def test_a_wrong_name_or_option_is_named_with_what_comes_close(
    project: Project, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    is_one_sentence(project(*arguments), 2, *words)
    assert project.sandbox.requests == 0
    if arguments[0] != "parked":
        assert not (project.folder / "store.db").exists()


def test_a_wrong_command_is_told_which_it_may_have_been() -> None:
    is_one_sentence(engage_sync("stauts"), 2, "'stauts'", "'status'")
    is_one_sentence(engage_sync("completely-else"), 2, "'completely-else'", "--help")


@pytest.mark.parametrize("user_id", ["", "é" * 5000, "a\nb", "'; drop table slot; --"])
def test_any_text_may_be_asked_for_as_a_user(project: Project, user_id: str) -> None:
    said = project("user", "show", user_id)
    assert said.code == 1
    assert "nothing is known of user" in said.err
    assert len(said.err.splitlines()) == 1
