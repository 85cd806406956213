"""Where somebody else delivers already, a command says who, how much of it was done meanwhile, and claims none of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import text

from sync.cli.deltas import print_delivered
from sync.deliver.delivered import Delivered
from sync.store import leases
from sync.store.engine import connect
from sync.store.holder import Holder, this_process
from sync.store.slots import Backlog
from tests.command import Project

ME = f"process {os.getpid()} on {this_process().host}"


@contextmanager
def delivering(project: Project) -> Iterator[None]:
    """Somebody, who is ourselves, holds the destination."""
    store = project.document["store"]
    with closing(connect(store["url"], store.get("schema"))) as database:
        lease = leases.acquire(database, "destination:pushwoosh", 3600.0)
        assert isinstance(lease, leases.Lease)
        yield
        leases.release(database, lease)


def clear(project: Project) -> None:
    """All that is owed has been delivered."""
    store = project.document["store"]
    with closing(connect(store["url"], store.get("schema"))) as database, database.write() as connection:
        connection.execute(text("DELETE FROM slot"))


def test_what_a_daemon_delivers_is_said_to_be_its(project: Project) -> None:
    with delivering(project):
        said = project("delta", "--wait", "0")
        assert said.code == 1
        assert said.out.splitlines()[-2:] == [
            f"pushwoosh: 0 users delivered by {ME}",
            f"pushwoosh: 10 users still owed: {ME} is delivering",
        ]
        clear(project)
        assert project.done("delta").out.splitlines()[-1] == f"pushwoosh: nothing is owed any more, {ME} delivers"
        done = project.json("delta")["delivered"][0]
        assert (done["users"], done["by_others"], done["delivered_by"], done["still_owed"]) == (0, 0, ME, 0)


def backlog(due: int, parked: int = 0) -> Backlog:
    return Backlog(due=due, waiting=0, confirm=0, sending=0, parked=parked, oldest=None)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (backlog(12), backlog(0), "pushwoosh: 12 users delivered by process 7 on db1"),
        (backlog(12, 1), backlog(0, 3), "pushwoosh: 10 users delivered by process 7 on db1, 2 parked"),
        (backlog(1), backlog(0, 1), "pushwoosh: 0 users delivered by process 7 on db1, 1 parked"),
        (backlog(1), backlog(4), "pushwoosh: 0 users delivered by process 7 on db1"),
    ],
)
def test_users_of_whom_nothing_is_owed_any_more_are_counted(
    before: Backlog, after: Backlog, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    done = Delivered("pushwoosh", backlog=after)
    done.watch(Holder("db1", "boot", "", 7, 0), before, after)
    print_delivered(done)
    assert capsys.readouterr().out.splitlines()[0].partition(" (")[0] == said


def test_whoever_takes_over_says_what_each_did(capsys: pytest.CaptureFixture[str]) -> None:
    watched = Delivered("pushwoosh")
    watched.watch(Holder("db1", "boot", "", 7, 0), backlog(12), backlog(5))
    done = Delivered("pushwoosh", users=5, settled=5, backlog=backlog(0))
    done.add(watched)
    print_delivered(done)
    assert capsys.readouterr().out == "pushwoosh: 5 users sent, 7 delivered by process 7 on db1\n"
