"""docs/query-language.md is true: every query in it is asked, on each engine, and gives what stands beside it.

Tables are known by their headings: what stands before a last column ``gives`` is a query. They are asked of the page's own
shop, with the definitions of its first configuration.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from sync.config import load
from sync.language import checker, names, parser, references
from sync.language.arguments import LONGEST_WINDOW, MOST_DOTS
from sync.model.naming import snake_case
from tests.command import Said, engage_sync

PAGE = (Path(__file__).parents[1] / "docs" / "query-language.md").read_text(encoding="utf-8")
INSTANT = timedelta(microseconds=1)

Object = dict[str, Any]
Asked = Callable[[Iterable[Object]], list[Object]]


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|")]


def tables() -> list[tuple[list[str], list[list[str]]]]:
    """Every table: its headings, its rows."""
    found = re.findall(r"^(\|[^\n]*)\n\|[-| ]+\n((?:\|[^\n]*\n)+)", PAGE, re.MULTILINE)
    return [(cells(first), [cells(line) for line in lines.splitlines()]) for first, lines in found]


def rows(*heading: str) -> list[list[str]]:
    """The rows of every table with these headings."""
    found = [row for first, lines in tables() if first[: len(heading)] == list(heading) for row in lines]
    assert found, heading
    return found


def code(cell: str) -> str:
    found = re.fullmatch(r"`([^`]+)`", cell)
    assert found, cell
    return found[1]


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


EXAMPLES = [(code(row[-2]), row[-1]) for first, lines in tables() if first[-1] == "gives" for row in lines]
PROFILES, EVENTS = (
    [json.loads(line) for line in blocks(f"json {kind}")[0].splitlines()] for kind in ("profiles", "events")
)
DEFINITIONS = {
    snake_case(each["name"]): each["query"]
    for section in ("audiences", "traits")
    for each in yaml.safe_load(blocks("yaml")[0])[section]
}
NOON = re.findall(r"It is `([^`]+)`", PAGE)[0]


def line(query: str, **given: object) -> Object:
    """What ``query eval`` reads: a query about the shop, unless something else is given."""
    return {"query": query, "profiles": PROFILES, "events": EVENTS, "definitions": DEFINITIONS, "as_of": NOON} | given


@pytest.fixture(params=["sqlite", "postgresql"])
def asked(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """What ``query eval`` answers, on each engine."""
    arguments = ["--engine", request.param]
    if request.param == "postgresql":
        config = tmp_path / "sync.yaml"
        config.write_text(f"version: 1\nstore: {request.getfixturevalue('postgresql_url')}\n", encoding="utf-8")
        arguments += ["--config", str(config)]
    return lambda lines: evaluated(monkeypatch, lines, *arguments)


def evaluated(monkeypatch: pytest.MonkeyPatch, lines: Iterable[Object], *arguments: str) -> list[Object]:
    given = "\n".join(map(json.dumps, lines)).encode()
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(given)))
    return [json.loads(each) for each in engage_sync("query", "eval", *arguments).out.splitlines()]


def shown(answer: Object) -> str:
    """An answer as the page writes it."""
    if "values" in answer:
        return f"`{json.dumps(answer['values'])}`"
    return ", ".join(answer["members"]) or "nobody" if "members" in answer else f"{answer['error']}"


def differing(expected: Iterable[str], said: Iterable[Object], about: Iterable[str]) -> str:
    """A line for each answer that is not the expected one."""
    triples = zip(about, expected, map(shown, said), strict=True)
    return "\n".join(f"{what}\n  page {wanted}\n  real {real}" for what, wanted, real in triples if wanted != real)


def test_every_query_gives_what_stands_beside_it(asked: Asked) -> None:
    queries, expected = zip(*EXAMPLES, strict=True)
    assert not differing(expected, asked(map(line, queries)), queries)


def test_every_function_has_an_example_in_a_table_of_functions() -> None:
    examples = " ".join(code(row[-2]) for first, lines in tables() if first[0] == "function" for row in lines)
    assert [name for name in names.ALL if not re.search(rf"\b{name}\(", examples)] == []
    listed = {name for row in rows("function") for name in re.findall(r"`(\w+)\(", row[0])}
    assert listed == set(names.ALL)


def test_every_condition_says_of_each_value_what_its_row_shows(asked: Asked) -> None:
    columns = next(first for first, _ in tables() if first[:2] == ["condition", "missing"])[2:]
    traits = [{}, *({"x": json.loads(code(column))} for column in columns)]
    profiles = [{"user_id": str(place), "traits": each} for place, each in enumerate(traits)]
    conditions = rows("condition", "missing")
    answers = asked(line(code(row[0]), profiles=profiles, events=[]) for row in conditions)
    expected = [", ".join(str(place) for place, cell in enumerate(row[1:]) if cell == "yes") for row in conditions]
    assert not differing([each or "nobody" for each in expected], answers, [row[0] for row in conditions])


def at_edges(first: datetime, last: datetime) -> list[Object]:
    """An event of the same user just before, at and after each of two instants."""
    instants = [edge + step * INSTANT for edge in (first, last) for step in (-1, 0, 1)]
    return [
        {"userId": "ann", "event": "A", "timestamp": each.isoformat(), "properties": {"at": each.isoformat()}}
        for each in instants
    ]


def test_every_window_takes_events_after_one_instant_and_until_the_other(asked: Asked) -> None:
    windows = [(code(row[0]), instant(code(row[1])), instant(code(row[2]))) for row in rows("window", "after", "until")]
    answers = asked(
        line(f"event('A').{each}.unique(property('at'))", events=at_edges(*edges)) for each, *edges in windows
    )
    expected = [f"`{json.dumps({'ann': sorted(taken(*edges))})}`" for _, *edges in windows]
    assert not differing(expected, answers, [each for each, *_ in windows])


def taken(after: datetime, until: datetime) -> list[str]:
    return [each["timestamp"] for each in at_edges(after, until) if after < instant(each["timestamp"]) <= until]


def test_every_window_of_a_funnel_counts_from_its_parent(asked: Asked) -> None:
    parent = instant("2026-11-01T08:00:00Z")
    windows = [
        (code(row[0]), *(parent + timedelta(days=int(code(cell).split()[0])) for cell in row[1:]))
        for row in rows("window", "after the parent's time", "until")
    ]
    start = {"userId": "ann", "event": "Start", "timestamp": parent.isoformat()}
    # One parent for each child, so that each is seen by itself.
    answers = asked(
        line(f"event('Start').where(event('A').{each}.count() >= 1).count() >= 1", profiles=[], events=[start, child])
        for each, *edges in windows
        for child in at_edges(*edges)
    )
    expected = [
        "ann" if child["timestamp"] in taken(*edges) else "nobody"
        for _, *edges in windows
        for child in at_edges(*edges)
    ]
    assert not differing(expected, answers, [str(place) for place in range(len(expected))])


def test_every_comparison_of_dates_holds_from_the_first_to_the_last_instant(asked: Asked) -> None:
    compared = rows("comparison", "first instant", "last instant")
    lines, expected = [], []
    for comparison, *edges in compared:
        first, last = (instant(code(edge)) if edge else None for edge in edges)
        for edge, outside in ((first, -INSTANT), (last, INSTANT)):
            if edge is not None:
                people = {"in": edge, "out": edge + outside}
                profiles = [{"user_id": who, "traits": {"x": when.isoformat()}} for who, when in people.items()]
                lines.append(line(f"trait('x').{code(comparison)}", profiles=profiles, events=[]))
                expected.append("in")
    assert not differing(expected, asked(lines), [each["query"] for each in lines])


def test_every_date_is_the_instant_that_its_row_shows(asked: Asked) -> None:
    lines, expected = [], []
    for value, meant in rows("value", "is"):
        profiles = [{"user_id": "ann", "traits": {"x": json.loads(code(value))}}]
        if meant == "no date":
            query = "trait('x').before_last(1 hour) OR trait('x').within_last(1 hour) OR trait('x').after_date('1900-01-01')"
            expected.append("nobody")
        else:
            first, last = ((instant(code(meant)) + step).isoformat() for step in (-INSTANT, INSTANT))
            query = f"trait('x').after_date('{first}') AND trait('x').before_date('{last}')"
            expected.append("ann")
        lines.append(line(query, profiles=profiles, events=[]))
    assert not differing(expected, asked(lines), [each["query"] for each in lines])


def test_every_wrong_query_is_refused_at_the_shown_place_in_the_shown_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = rows("query", "line, column", "message")
    said = [each.get("error", {}) for each in evaluated(monkeypatch, (line(code(row[0])) for row in wrong))]
    real = [
        [row[0], f"{error.get('line')}, {error.get('column')}", error.get("message")]
        for row, error in zip(wrong, said, strict=True)
    ]
    assert wrong == real


def test_the_limits_are_these() -> None:
    real = [checker.MOST_EXPRESSIONS, checker.DEEPEST, checker.MOST_WHERES]
    real += [references.MOST_EXPRESSIONS, references.LONGEST_CHAIN, MOST_DOTS, parser.LONGEST, LONGEST_WINDOW]
    assert [number for _, number in rows("limit", "number")] == [f"{each:,}" for each in real]


def run_in(folder: Path, configuration: str, *arguments: str) -> Said:
    (folder / "sync.yaml").write_text(configuration, encoding="utf-8")
    return engage_sync(*arguments)


def test_the_configuration_loads(tmp_path: Path) -> None:
    (tmp_path / "sync.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    assert {each.key for each in load(tmp_path / "sync.yaml", {}).definitions} == DEFINITIONS.keys()


def test_check_says_of_the_wrong_file_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    [wrong], [problems] = blocks("yaml wrong"), blocks("text problems")
    answer = run_in(tmp_path, wrong, "check", "--offline")
    assert (answer.code, answer.err) == (2, problems)


def test_every_command_prints_what_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for each in re.split(r"^\$ ", blocks("console")[0], flags=re.MULTILINE)[1:]:
        command, _, printed = each.partition("\n")
        words = shlex.split(command)
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(words[1].encode())))
        assert engage_sync(*words[words.index("engage-sync") + 1 :]).out == printed


def test_every_link_inside_the_page_leads_to_a_heading() -> None:
    headings = re.findall(r"^#+ (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= anchors
