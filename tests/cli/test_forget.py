from __future__ import annotations

import pytest

from sync.destinations.sandbox import Faults
from tests.command import Project


def test_without_a_terminal_a_yes_must_be_given(synced: Project) -> None:
    said = synced("user", "forget", "u1")
    assert said.code == 2
    assert "--yes" in said.err
    assert "u1" in synced.sandbox.users()


def test_who_is_forgotten_is_removed_here_and_there(synced: Project) -> None:
    said = synced.done("user", "forget", "u1", "--yes")
    assert said.out.startswith("user u1 is forgotten here (")
    assert said.out.endswith("pushwoosh: deleted\n")
    assert "u1" not in synced.sandbox.users()
    # The list is all that knows of them: and it names nobody.
    shown = synced.json("user", "show", "u1")
    assert shown["suppressed_since"]
    assert not any(shown[name] for name in ("values", "owed", "attempts", "profile", "events"))


def test_what_a_destination_refuses_is_told_and_can_be_asked_for_again(synced: Project) -> None:
    synced.sandbox.set_faults(fail_users=frozenset({"u1"}))
    said = synced("user", "forget", "u1", "--yes")
    assert said.code == 1
    assert "refused" in said.out
    assert "run the same command again" in said.out
    synced.sandbox.set_faults(fail_users=frozenset())
    assert synced.json("user", "forget", "u1", "--yes")["complete"]
    assert "u1" not in synced.sandbox.users()


def test_status_shows_what_is_still_to_be_deleted(synced: Project) -> None:
    synced.sandbox.set_faults(fail_users=frozenset({"u1"}))
    assert synced("user", "forget", "u1", "--yes").code == 1
    said = synced.done("status").out
    assert "UNDELETED pushwoosh: it refuses to delete 1 user: mend what it says" in said
    assert "\n  u1: 400 " in said
    [destination] = synced.json("status")["destinations"]
    [refused] = destination["deletions"].pop("refused_users")
    assert destination["deletions"].pop("oldest")
    assert (destination["deletions"], refused["user_id"]) == ({"owed": 0, "refused": 1}, "u1")
    synced.sandbox.replace_faults(Faults(status=503, retry_after=0))
    assert synced("user", "forget", "u1", "--yes", "--wait", "0").code == 1
    assert "pushwoosh: 1 user still to be deleted there, the oldest for " in synced.done("status").out
    synced.sandbox.replace_faults()
    synced.done("user", "forget", "u1", "--yes")
    assert "delete" not in synced.done("status").out


def test_a_destination_that_is_away_stays_owed_and_the_command_says_so(synced: Project) -> None:
    synced.sandbox.set_faults(status=503, retry_after=0)
    told = synced.json("user", "forget", "u1", "--yes", "--wait", "0")
    assert (told["complete"], told["overwritten"]) == (False, False)
    assert [each["state"] for each in told["destinations"]] == ["owed"]
    assert synced("user", "unsuppress", "u1").code == 2
    synced.sandbox.set_faults(status=None, retry_after=None)
    assert synced.json("user", "forget", "u1", "--yes")["complete"]


@pytest.mark.parametrize("name", ["", "nobody-knows-this-one"])
def test_who_is_not_known_is_kept_out_all_the_same(synced: Project, name: str) -> None:
    said = synced("user", "forget", name, "--yes")
    if not name:
        assert said.code == 2
        return
    assert said.code == 0
    assert "nothing was known" in said.out


def test_a_destination_with_wrong_settings_is_not_waited_for(synced: Project) -> None:
    synced.sandbox.set_faults(status=401)
    said = synced("user", "forget", "u1", "--yes")
    assert said.code == 1
    assert "mend its settings" in said.out


def test_a_destination_that_left_the_file_is_named(synced: Project) -> None:
    left = synced.document["destinations"]["pushwoosh"]
    synced.write(destinations={"other": left}, defaults={"source": "shop", "destinations": ["other"]})
    told = synced.json("user", "forget", "u1", "--yes")
    assert told["not_configured"] == ["pushwoosh"]
    assert [each["destination"] for each in told["destinations"]] == ["other"]
