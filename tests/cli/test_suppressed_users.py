"""`user suppress` is about everything that is sent: events, audience and trait updates; and says so."""

from __future__ import annotations

import pytest

from tests.command import Project, engage_sync


@pytest.mark.parametrize("command", [("user", "suppress", "u1"), ("user", "show", "u1")])
def test_it_says_that_nothing_is_sent_about_a_suppressed_user(project: Project, command: tuple[str, ...]) -> None:
    project("user", "suppress", "u1")
    assert "no event is taken in, and nothing is sent" in project.done(*command).out


def test_no_updates_go_to_a_suppressed_user_until_that_is_taken_back(project: Project) -> None:
    project.done("user", "suppress", "u1")
    project.done("delta")
    assert "u1" not in project.sandbox.users()
    project.done("user", "unsuppress", "u1")
    project.done("delta")
    assert project.sandbox.users()["u1"]["attributes"]["everybody"] is True


def test_the_help_says_so() -> None:
    said = " ".join(engage_sync("user", "suppress", "--help").out.split())
    assert "neither events nor audience updates" in said
