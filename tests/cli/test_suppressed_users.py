"""`user suppress` is about events alone: whoever uses it is told that audience and trait updates still go out."""

from __future__ import annotations

import pytest

from tests.command import Project, engage_sync

STILL = "audience and trait updates still are sent"


@pytest.mark.parametrize("command", [("user", "suppress", "u1"), ("user", "show", "u1")])
def test_it_says_that_updates_still_go_to_a_suppressed_user(project: Project, command: tuple[str, ...]) -> None:
    project("user", "suppress", "u1")
    assert STILL in project.done(*command).out


def test_updates_still_go_to_a_suppressed_user(project: Project) -> None:
    project.done("user", "suppress", "u1")
    project.done("delta")
    assert project.sandbox.users()["u1"]["attributes"]["everybody"] is True


def test_the_help_says_so() -> None:
    said = " ".join(engage_sync("user", "suppress", "--help").out.split())
    assert "audience and trait updates of the user still go to the destinations" in said
