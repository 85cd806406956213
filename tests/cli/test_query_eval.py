"""``query eval``: every golden case through the command itself, and what it says of lines that are no question."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.command import Said, engage_sync
from tests.language.golden import golden_cases
from tests.language.reference.cases import same

Asked = Callable[..., Said]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Asked:
    """Pipe lines through the command, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*lines: object, arguments: tuple[str, ...] = ()) -> Said:
        text = b"".join((line if isinstance(line, bytes) else json.dumps(line).encode()) + b"\n" for line in lines)
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text)))
        return engage_sync("query", "eval", *arguments)

    return run


def test_every_golden_case_has_its_answer_on_sqlite(asked: Asked) -> None:
    cases = golden_cases()
    said = asked(*(case.input for case in cases))
    answers = [json.loads(line) for line in said.out.split("\n") if line]
    assert len(answers) == len(cases)
    wrong = [
        f"{case.rule}: {got}"
        for case, got in zip(cases, answers, strict=True)
        if not ("error" in got if "error" in case.output else same(got, case.output))
    ]
    assert not wrong, "\n".join(wrong)


def test_a_wrong_query_is_told_with_its_place_and_the_rest_goes_on(asked: Asked) -> None:
    said = asked({"query": "event('A').coun() > 1"}, {"query": "event('A').count() > 1"})
    first, second = (json.loads(line) for line in said.out.splitlines())
    assert first == {
        "error": {"message": "there is no function `coun`; did you mean `count()`?", "line": 1, "column": 12}
    }
    assert second == {"kind": "audience", "members": []}
    assert said.code == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "the line is not JSON that can be read"),
        ([], "a line must be an object with `query`, a text"),
        ({"query": 5}, "a line must be an object with `query`, a text"),
        ({"query": "trait('a') = 1", "profiles": [1]}, "`profiles` must be a list of objects"),
        ({"query": "trait('a') = 1", "definitions": {"a": 1}}, "`definitions` must be an object of queries by key"),
        ({"query": "trait('a') = 1", "as_of": "soon"}, "`as_of` must be a date: 2026-11-21, or 2026-11-21T10:00:00Z"),
    ],
)
def test_a_line_that_is_no_question_is_told(asked: Asked, line: object, message: str) -> None:
    said = asked(line)
    assert json.loads(said.out) == {"error": {"message": message, "line": None, "column": None}}


def test_it_runs_in_a_store_on_postgresql_and_leaves_nothing(asked: Asked, tmp_path: Path, postgresql_url: str) -> None:
    (tmp_path / "sync.yaml").write_text(f"version: 1\nstore: {postgresql_url}\n")
    line = {"query": "trait('a') = 1", "profiles": [{"user_id": "ann", "traits": {"a": 1}}]}
    said = asked(line, arguments=("--engine", "postgresql"))
    assert json.loads(said.out) == {"kind": "audience", "members": ["ann"]}


def test_postgresql_is_not_to_be_had_from_a_store_that_is_a_file(asked: Asked, tmp_path: Path) -> None:
    (tmp_path / "sync.yaml").write_text("version: 1\nstore: sqlite:///store.db\n")
    said = asked(arguments=("--engine", "postgresql"))
    assert said.code == 2
    assert "is not on PostgreSQL" in said.err


def test_the_documented_lines_have_the_documented_answers(asked: Asked) -> None:
    page = Path(__file__).parents[2] / "docs" / "commands.md"
    _, _, shown = page.read_text(encoding="utf-8").partition("$ cat asked.jsonl\n")
    lines, _, answers = shown.partition("$ engage-sync query eval < asked.jsonl\n")
    assert asked(lines.encode()).out == answers.partition("```")[0]
