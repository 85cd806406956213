"""An answer that cannot be right changes nothing: it is refused, or its exits are held until somebody looked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.bad_input.conftest import MEMBERS, Synced, is_one_sentence

Unchanged = Callable[[Synced], AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([("u01",), (None,)], ("row 2", "user_id is NULL")),
        ([("",), ("u01",)], ("row 1", "user_id is empty")),
        ([("u07",), ("u01",), ("u07",)], ("more than one row", "'u07'")),
        ([("x" * 1001,)], ("row 1", "longer than 1000 bytes")),
    ],
    ids=["null", "empty", "duplicate", "too long"],
)
@pytest.mark.parametrize("command", ["delta", "plan", "backfill"])
def test_a_user_id_that_cannot_be_used_is_named_and_nothing_is_recorded(
    synced: Synced, unchanged: Unchanged, command: str, rows: list[tuple[object, ...]], words: tuple[str, ...]
) -> None:
    synced.shop.answers(rows)
    with unchanged(synced):
        is_one_sentence(synced.run(command, "Members"), 2, "audience 'Members'", "nothing was recorded", *words)


def test_an_empty_answer_holds_everybody_until_it_is_forced(synced: Synced, unchanged: Unchanged) -> None:
    synced.shop.members()
    planned = synced.run("plan")
    assert planned.code == 0
    assert "30 exits would be HELD, because the answer is empty" in planned.out

    before = synced.project.sandbox.accepted
    held = synced.run("delta")
    assert held.code == 1
    assert "HELD members: 30 exits held, because the answer is empty" in held.out
    assert "engage-sync delta members --force" in held.out
    assert synced.project.sandbox.accepted == before

    assert "HELD members: 30 exits held, because the answer is empty" in synced.run("status").out
    assert [each["held"] for each in synced.project.json("status")["definitions"]] == [30, 0]
    assert synced.run("audience", "members", "Members").out.split() == MEMBERS

    assert synced.run("delta", "members", "--force").code == 0
    assert synced.project.sandbox.accepted == before + 30
    assert all(each["attributes"]["members"] is False for each in synced.project.sandbox.users().values())
    assert "HELD" not in synced.run("status").out
    assert synced.run("audience", "members", "Members").out == ""


def test_too_many_exits_are_held_while_entries_and_other_definitions_are_sent(synced: Synced) -> None:
    stay = MEMBERS[:12]
    synced.shop.answers([(user, None) for user in stay] + [("new", "7")])
    before = synced.project.sandbox.accepted
    held = synced.run("delta")
    assert held.code == 1
    assert "HELD members: 18 exits held, because more exits than the guard allows" in held.out
    assert synced.project.sandbox.accepted == before + 1
    user = synced.project.sandbox.user("new")
    assert user is not None
    assert user["attributes"] == {"members": True, "spend": "7"}
    assert synced.project.sandbox.values(MEMBERS[-1], "members") == [True]


def test_forcing_applies_no_more_exits_than_were_shown(synced: Synced) -> None:
    synced.shop.members(*MEMBERS[:12])
    assert synced.run("delta").code == 1
    synced.shop.members(*MEMBERS[:2])
    before = synced.project.sandbox.accepted
    forced = synced.run("delta", "--force")
    assert forced.code == 1
    assert "28 exits held, because more exits than were shown" in forced.out
    assert synced.project.sandbox.accepted == before


@pytest.mark.parametrize("command", ["delta", "plan", "backfill"])
def test_going_back_in_time_is_refused(synced: Synced, unchanged: Unchanged, command: str) -> None:
    synced.shop.members("somebody else")
    with unchanged(synced):
        said = synced.run(command, "Members", "--as-of", "2025-12-31")
        is_one_sentence(said, 2, "audience 'Members'", "as of 2026-01-01", "2025-12-31", "--force")


def test_a_failing_definition_does_not_keep_the_others_from_being_sent(synced: Synced) -> None:
    synced.shop.answers([("new", "7"), (None, None)])
    before = synced.project.sandbox.accepted
    said = synced.run("delta")
    assert said.code == 2
    assert "trait 'Spend'" not in said.err
    is_one_sentence(said, 2, "audience 'Members'", "row 2", "user_id is NULL")
    assert synced.project.sandbox.accepted == before + 1
    user = synced.project.sandbox.user("new")
    assert user is not None
    assert user["attributes"] == {"spend": "7"}
