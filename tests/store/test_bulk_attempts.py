"""What many users were sent in one request is shown, forgotten and thrown away as if each had had a request of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import text

from sync.model.outcome import Outcome, Verdict
from sync.model.retention import Retention
from sync.store import bulk_claims, bulks, forgetting, reports, suppressions, upkeep
from sync.store.bulk_claims import Wanted
from sync.store.bulks import Bulk
from sync.store.engine import Database
from tests.moving_clock import MovingClock
from tests.recorder import LEASE, PUSH, QUIET, audience, claim, record, trait, unknown
from tests.traces import traces

FOUR = ["ann", "bob", "cid", "dan"]
ODD = 'zoe "\\/\n\x1f\x7f é 😀 {users}'
"""An id with everything that is written otherwise in JSON."""


def submitted(
    database: Database, answer: Mapping[str, object], extras: Mapping[str, object] | None = None, key: str = "spend"
) -> Bulk:
    """One request about all of them, which has its id."""
    record(database, trait(key), answer, extras=extras)
    return due(database)


def due(database: Database) -> Bulk:
    """One request about all that is due, which has its id."""
    [taken], _ = bulk_claims.claim(database, PUSH, Wanted(100, 1, LEASE, 900.0), most_alone=0)
    assert taken.bulk is not None
    found = bulks.submitted(database, taken.bulk, "r-1")
    assert found is not None
    return found


def end(database: Database, bulk: Bulk, failures: Mapping[str, str] | None = None) -> None:
    assert bulks.settle(database, bulk, failures or {}, QUIET) is not None


def attempts(database: Database, user_id: str) -> list[dict[str, Any]]:
    with database.read() as connection:
        found: list[dict[str, Any]] = reports.user(connection, user_id)["attempts"]
    return found


def sent(database: Database, *users: str) -> dict[str, list[object]]:
    """What each was sent, newest first."""
    return {user: [each["sent"] for each in attempts(database, user)] for user in users}


def rows(database: Database, table: str = "bulk_attempt") -> int:
    with database.read() as connection:
        number: int = connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
    return number


EXTRAS = {"plan": "gold", "trial": False, "seen": None, "tags": [1], "at": {"home": "é"}}


def test_a_request_is_one_row_and_each_user_s_try_in_it_says_what_they_were_sent(database: Database) -> None:
    before = database.clock.now()
    end(database, submitted(database, {"ann": 7, "bob": 7, ODD: [1, "x"]}, EXTRAS))
    assert (rows(database), rows(database, "attempt")) == (1, 0)
    assert sent(database, "ann", "bob", ODD, "amy", "zz") == {
        "ann": [{**EXTRAS, "spend": 7}],
        "bob": [{**EXTRAS, "spend": 7}],
        ODD: [{**EXTRAS, "spend": [1, "x"]}],
        "amy": [],
        "zz": [],
    }
    [found] = attempts(database, "ann")
    assert {name: found[name] for name in ("destination", "verdict", "status", "detail")} == {
        "destination": PUSH,
        "verdict": "accepted",
        "status": 200,
        "detail": "bulk r-1",
    }
    assert before <= found["at"] <= database.clock.now()


def test_what_is_recorded_meanwhile_is_not_what_was_sent(database: Database) -> None:
    bulk = submitted(database, {"ann": 7, "bob": 7}, {"plan": "gold"})
    record(database, trait(), {"ann": 8, "bob": 7})
    end(database, bulk)
    assert sent(database, "ann", "bob") == {
        "ann": [{"plan": "gold", "spend": 7}],
        "bob": [{"plan": "gold", "spend": 7}],
    }


def test_who_failed_has_the_reason_and_the_others_their_success(database: Database) -> None:
    end(database, submitted(database, dict.fromkeys(FOUR, 1)), {"bob": "no such tag"})
    assert [each["detail"] for each in attempts(database, "bob")] == ["bulk r-1: no such tag"]
    assert [(each["verdict"], each["sent"]) for each in attempts(database, "cid")] == [("accepted", {"spend": 1})]


@pytest.mark.parametrize("whole", [True, False])
def test_whoever_left_before_the_end_is_not_in_it(database: Database, whole: bool) -> None:
    record(database, trait(), dict.fromkeys(FOUR, 1))
    [taken], _ = bulk_claims.claim(database, PUSH, Wanted(100, 1, LEASE, 900.0), most_alone=0)
    bulk = taken.bulk
    if bulk is not None and not whole:
        bulk = bulks.leave_out(database, bulk, ["cid"])
    assert bulk is not None
    suppressions.suppress(database, "ann")
    end(database, bulk)
    there = {"bob", "dan", "cid"} if whole else {"bob", "dan"}
    assert {user for user in FOUR if attempts(database, user)} == there


def test_each_part_of_a_divided_one_has_its_own_users(database: Database) -> None:
    record(database, trait(), dict.fromkeys(FOUR, 1))
    [taken], _ = bulk_claims.claim(database, PUSH, Wanted(100, 1, LEASE, 900.0), most_alone=0)
    assert taken.bulk is not None
    other = bulks.split(database, taken.bulk, ["cid", "dan"])
    assert other is not None
    bulks.put_back(database, other, Outcome(Verdict.REFUSED, 400, "odd"), singly=True)
    end(database, taken.bulk.without(2))
    assert {user: [each["detail"] for each in attempts(database, user)] for user in ("bob", "cid")} == {
        "bob": ["bulk"],
        "cid": ["bulk: odd"],
    }
    assert rows(database) == 2


def test_of_a_bulk_in_which_nobody_is_left_there_is_no_row(database: Database) -> None:
    bulk = submitted(database, {"ann": 1})
    suppressions.suppress(database, "ann")
    end(database, bulk)
    assert rows(database) == 0


def test_tries_alone_and_with_others_are_shown_together_the_newest_first(
    database: Database, clock: MovingClock
) -> None:
    record(database, audience(), ["ann"])
    for number in range(7):
        for slot in claim(database):
            unknown(database, slot)
        clock.advance(60)
        end(database, submitted(database, {"ann": number, "bob": number}))
        clock.advance(60)
    found = attempts(database, "ann")
    assert [each["at"] for each in found] == sorted((each["at"] for each in found), reverse=True)
    assert [each["verdict"] for each in found] == ["accepted", "test"] * 5
    assert [each["sent"].get("spend") for each in found[::2]] == [6, 5, 4, 3, 2]


def test_a_forgotten_user_is_taken_out_and_the_others_stay_as_they_were(database: Database) -> None:
    answers = [{"ann": 1, ODD: 1}, {ODD: 2}, {ODD: 3, "ann": 3, "zzz": 1234567890123456789}, {"a": 4, "zzz": ODD}]
    for number, answer in enumerate(answers):
        end(database, submitted(database, answer, key=f"spend_{number}"))
    others = sent(database, "ann", "a")
    assert len(attempts(database, ODD)) == 3
    number = forgetting.forget(database, ODD, [PUSH], "test")
    assert number is not None
    assert forgetting.look(database, number).counts["attempts"] == 3
    assert (attempts(database, ODD), rows(database)) == ([], 3)
    assert sent(database, "ann", "a") == others
    with database.read() as connection:
        whole = "SELECT first_user, last_user FROM bulk_attempt ORDER BY id"
        ranges = [tuple(row) for row in connection.execute(text(whole))]
        documents = connection.execute(text("SELECT sent FROM bulk_attempt ORDER BY id")).scalars().all()
    assert ranges == [("ann", "ann"), ("ann", "zzz"), ("a", "zzz")]
    assert "1234567890123456789" in documents[1]


def test_whoever_is_forgotten_while_a_bulk_is_under_way_is_not_written_down_at_its_end(database: Database) -> None:
    who = "zoe-who-wants-to-be-forgotten"
    bulk = submitted(database, dict.fromkeys([who, *FOUR], 1))
    forgetting.forget(database, who, [PUSH], "test", quiet=QUIET)
    end(database, bulk)
    assert len(attempts(database, "ann")) == 1
    with database.read() as connection:
        found = connection.execute(text("SELECT sent || first_user || last_user FROM bulk_attempt")).scalars().all()
    assert [document for document in found if who in document] == []


def test_a_bulk_that_never_ends_names_nobody_who_was_forgotten(database: Database) -> None:
    who = "zoe-who-wants-to-be-forgotten"
    bulk = submitted(database, dict.fromkeys([who, *FOUR], 1))
    number = forgetting.forget(database, who, [], "test", quiet=QUIET)
    assert number is not None
    assert forgetting.sweep(database, number)
    assert forgetting.purge(database)
    assert traces(database, who) == []
    [(left, _)] = bulks.under_way(database, PUSH)
    assert bulks.users(database, left) == set(FOUR)
    end(database, bulk)
    assert sent(database, who, *FOUR) == {who: [], **{user: [{"spend": 1}] for user in FOUR}}
    assert traces(database, who) == []


def test_they_are_kept_for_as_long_as_attempts(database: Database, clock: MovingClock) -> None:
    keep = Retention(attempts=3600.0)
    for number in range(3):
        end(database, submitted(database, dict.fromkeys(FOUR, number)))
    clock.advance(3000)
    end(database, submitted(database, dict.fromkeys(FOUR, 9)))
    assert upkeep.prune(database, keep).attempts == 0
    clock.advance(1000)
    assert upkeep.prune(database, keep, batch=2).attempts == 3
    assert sent(database, "ann") == {"ann": [{"spend": 9}]}


def test_who_looks_for_one_user_reads_only_rows_that_can_hold_them(database: Database) -> None:
    made = {
        "sqlite": "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 2000)",
        "postgresql": "WITH s AS (SELECT n FROM generate_series(1, 2000) AS n)",
    }[database.dialect]
    columns = "destination, at, verdict, detail, first_user, last_user, sent"
    user = "substr(CAST(1000000 + {} AS text), 2)"
    end(database, submitted(database, {"~": 1}))
    with database.write() as connection:
        connection.execute(
            text(
                f"INSERT INTO bulk_attempt ({columns}) {made} SELECT destination, at, verdict, detail, "
                f"{user.format('n * 10')}, {user.format('n * 10 + 9')}, sent FROM bulk_attempt, s"
            )
        )
    with database.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))
        prefix = "EXPLAIN QUERY PLAN " if database.dialect == "sqlite" else "EXPLAIN "
        where = "first_user <= '000500' AND last_user >= '000500'"
        plan = str(connection.exec_driver_sql(f"{prefix}SELECT id FROM bulk_attempt WHERE {where}").all())
    assert "bulk_attempt_users" in plan
