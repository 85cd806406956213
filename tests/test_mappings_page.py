"""docs/mappings.md is true: every example is run, and everything that exists has one.

Examples are fenced blocks (``json mapping``, ``json event``, ``json result``; an event counts until the next one) and
rows of tables, which are known by their headings.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from sync.config import load
from sync.config.destinations import MOST_MAPPINGS
from sync.destinations.pushwoosh.actions import ACTIONS
from sync.destinations.pushwoosh.batching import MOST_EVENTS
from sync.errors import InvalidEvent, InvalidMapping, InvalidSubscription
from sync.mapping.action import Action, Field
from sync.mapping.check import DEEPEST_MAPPING, LARGEST_MAPPING
from sync.mapping.compiler import compile_mapping
from sync.mapping.directives import DIRECTIVES
from sync.mapping.mapping import compile_subscription
from sync.mapping.trigger import LONGEST, compile_trigger, names, parser
from sync.mapping.trigger.tokens import tokens
from sync.mapping.trigger.tree import Comparison, Node, Operator
from sync.mapping.values import DEEPEST, LONGEST_TEXT
from sync.model.definition import Kind
from sync.model.identify import IdentifyPer, persona
from tests.command import Said, engage_sync

PAGE = (Path(__file__).parents[1] / "docs" / "mappings.md").read_text(encoding="utf-8")
ENVIRONMENT = {"PUSHWOOSH_API_KEY": "key", "PUSHWOOSH_APP_CODE": "ABCDE-12345", "SHOP_DATABASE_URL": "sqlite:///s.db"}
REQUIRED = {"external_id": "u-1", "name": "Order Completed", "timestamp": "2026-11-20T10:15:00Z"}


@dataclass(frozen=True)
class Block:
    """A fenced block: what stands behind the backticks, its text, and the heading above it."""

    kind: str
    text: str
    section: str


def blocks() -> Iterator[Block]:
    for part in re.split(r"^(?=#{2,3} )", PAGE, flags=re.MULTILINE):
        section = part.partition("\n")[0].lstrip("# ")
        for kind, text in re.findall(r"^```([a-z ]+)\n(.*?)^```$", part, re.DOTALL | re.MULTILINE):
            yield Block(kind, text, section)


BLOCKS = list(blocks())
FIRST_CONFIGURATION = next(block.text for block in BLOCKS if block.kind == "yaml")


def cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|").removesuffix("|")
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", inner)]


def rows(*heading: str, page: str = PAGE) -> list[list[str]]:
    """The rows of every table whose columns begin so."""
    found = re.findall(r"^(\|[^\n]*)\n\|[-| ]+\n((?:\|[^\n]*\n)+)", page, re.MULTILINE)
    wanted = [lines for first, lines in found if cells(first)[: len(heading)] == list(heading)]
    assert wanted, heading
    return [cells(line) for lines in wanted for line in lines.splitlines()]


def code(cell: str) -> str:
    found = re.fullmatch(r"`([^`]+)`", cell)
    assert found, cell
    return found[1]


def objects(cell: str) -> list[Any]:
    return [json.loads(each) for each in re.findall(r"`([^`]+)`", cell)]


def same(shown: object, real: object) -> bool:
    """Equal as JSON, where 1 is not true."""
    return json.dumps(shown, sort_keys=True) == json.dumps(real, sort_keys=True)


def mapped(value: object, event: object) -> str:
    """What a table's cell says of a value: its JSON in backticks, or that there is none, and why."""
    try:
        made = compile_mapping({"x": value})(event)
    except InvalidMapping:
        return "refused at load"
    except InvalidEvent:
        return "refused"
    assert isinstance(made, dict)
    return f"`{json.dumps(made['x'], ensure_ascii=False)}`" if "x" in made else "missing"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Said]:
    """What a command says where ``sync.yaml`` holds the given text."""

    def run(configuration: str, *arguments: str, given: str = "") -> Said:
        (folder / "sync.yaml").write_text(configuration, encoding="utf-8")
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given.encode())))
        return engage_sync(*arguments, environment=ENVIRONMENT)

    return run


# Configuration


def configurations(kind: str) -> list[str]:
    return [block.text for block in BLOCKS if block.kind == kind]


@pytest.mark.parametrize("text", configurations("yaml") + configurations("yaml presets"))
def test_every_configuration_loads(folder: Path, text: str) -> None:
    (folder / "sync.yaml").write_text(text, encoding="utf-8")
    [destination] = load(folder / "sync.yaml", ENVIRONMENT).destinations.values()
    per = IdentifyPer.COMPUTATION if "context.personas" in text else IdentifyPer.USER
    assert destination.identify_per is per


def test_the_presets_are_written_out_as_they_are() -> None:
    [text] = configurations("yaml presets")
    assert yaml.safe_load(text)["destinations"]["pushwoosh"]["mappings"] == [
        {
            "name": action.preset,
            "partnerAction": action.slug,
            "subscribe": action.subscribe,
            "mapping": action.default_mapping(),
        }
        for action in ACTIONS.values()
    ]


def test_check_says_of_the_wrong_file_what_is_shown(said: Callable[..., Said]) -> None:
    [wrong], [shown] = configurations("yaml wrong"), configurations("text problems")
    answer = said(wrong, "check", "--offline")
    assert (answer.code, answer.err) == (2, shown)


def test_the_limits_are_these() -> None:
    real = [MOST_MAPPINGS, MOST_EVENTS, LONGEST, parser.DEEPEST]
    real += [DEEPEST_MAPPING, LARGEST_MAPPING, DEEPEST, LONGEST_TEXT]
    assert [number for _, number in rows("limit", "number")] == [f"{each:,}" for each in real]


# Triggers

TRIGGERS = rows("trigger", "takes", "leaves")
TRUTH = rows("trigger", "missing")
TRUTH_COLUMNS = next(cells(line) for line in PAGE.splitlines() if line.startswith("| trigger | missing |"))[1:]


def comparisons(node: Node) -> Iterator[Comparison]:
    if isinstance(node, Comparison):
        yield node
    else:
        for child in node.children:
            yield from comparisons(child)


def asked(text: str) -> list[Comparison]:
    return list(comparisons(parser.Parser(tokens(text), tolerant=False).read()))


@pytest.mark.parametrize("row", TRIGGERS, ids=lambda row: row[0])
def test_every_trigger_takes_and_leaves_the_shown_events(row: list[str]) -> None:
    trigger = compile_trigger(code(row[0]))
    assert {trigger(event) for event in objects(row[1])} == {True}
    assert {trigger(event) for event in objects(row[2])} == {False}


@pytest.mark.parametrize("row", TRUTH, ids=lambda row: row[0])
def test_every_operator_says_what_its_row_shows_of_each_value(row: list[str]) -> None:
    trigger = compile_trigger(code(row[0]))
    properties = [{} if column == "missing" else {"x": json.loads(code(column))} for column in TRUTH_COLUMNS]
    shown = ["takes" if trigger({"properties": each}) else "\N{EN DASH}" for each in properties]
    assert shown == row[1:]


def test_every_operator_has_an_example_and_a_row() -> None:
    every = set(Operator) - {Operator.NEVER}
    assert {each.operator for row in TRIGGERS for each in asked(code(row[0]))} == every
    assert {each.operator for row in TRUTH for each in asked(code(row[0]))} == every


def test_every_field_and_function_of_triggers_has_an_example() -> None:
    assert {each.path[0] for row in TRIGGERS for each in asked(code(row[0]))} == {*names.PLAIN, *names.OBJECTS}
    for function in names.FUNCTIONS:
        assert any(code(row[0]).startswith(f"{function}(") for row in TRIGGERS)


@pytest.mark.parametrize("row", rows("trigger", "message"), ids=lambda row: row[0])
def test_every_wrong_trigger_is_refused_in_the_shown_words(row: list[str]) -> None:
    with pytest.raises(InvalidSubscription) as caught:
        compile_trigger(code(row[0]))
    assert str(caught.value) == row[1]


# Paths and directives


@pytest.mark.parametrize("row", rows("path", "gives"), ids=lambda row: row[0])
def test_every_path_leads_where_the_table_says(row: list[str]) -> None:
    [event] = [json.loads(block.text) for block in BLOCKS if block.kind == "json event" and block.section == "Paths"]
    shown = mapped({"@path": code(row[0])}, event)
    assert row[1] == ("the whole event" if shown == f"`{json.dumps(event)}`" else shown)


def examples() -> Iterator[tuple[str, Any, Any, Any]]:
    """Section, mapping, event, result."""
    latest: dict[str, Any] = {}
    for block in BLOCKS:
        if block.kind in ("json event", "json mapping", "json result"):
            latest[block.kind] = json.loads(block.text)
        if block.kind == "json result":
            yield block.section, latest["json mapping"], latest["json event"], latest["json result"]


EXAMPLES = list(examples())


@pytest.mark.parametrize(("section", "mapping", "event", "result"), EXAMPLES)
def test_every_mapping_makes_the_shown_result(section: str, mapping: Any, event: Any, result: Any) -> None:
    assert section in repr(mapping)
    assert same(result, compile_mapping(mapping)(event))


@pytest.mark.parametrize("row", rows("value", "event", "gives"), ids=lambda row: row[0])
def test_every_value_gives_what_its_row_says(row: list[str]) -> None:
    value, event = (json.loads(code(cell)) for cell in row[:2])
    assert mapped(value, event) == row[2]


def test_every_directive_is_listed_and_has_a_section_with_an_example() -> None:
    listed = [re.sub(r"\[`(.*)`\].*", r"\1", row[0]) for row in rows("directive", "makes")]
    assert sorted(listed) == sorted(DIRECTIVES)
    assert [section for section, *_ in EXAMPLES] == listed


# Actions and requests


def fields() -> list[tuple[Action, Field]]:
    return [(action, field) for action in ACTIONS.values() for field in action.fields]


def documented(action: Action) -> list[list[str]]:
    _, _, behind = PAGE.partition(f"### {action.title} (`{action.slug}`)\n")
    return rows("field", "type", "required", page=behind.partition("\n#")[0])


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS)
def test_every_action_has_a_row_for_each_of_its_fields(action: Action) -> None:
    def yes(flag: bool) -> str:
        return "yes" if flag else "no"

    shown = documented(action)
    assert [row[:4] for row in shown] == [
        [f"`{field.key}`", " or ".join(field.types), yes(field.required), yes(field.nullable)]
        for field in action.fields
    ]
    for row, field in zip(shown, action.fields, strict=True):
        default = field.default
        if isinstance(default, dict) and isinstance(default.get("@path"), str):
            assert code(row[4]) == default["@path"]
        elif default is False:
            assert code(row[4]) == "false"
        else:
            assert row[4], field.key  # too long for a cell: the presets show it in full


@pytest.mark.parametrize(("action", "field"), fields(), ids=lambda each: getattr(each, "slug", None) or each.key)
def test_every_field_travels_under_the_shown_name(said: Callable[..., Said], action: Action, field: Field) -> None:
    [shown] = [row[5] for row in documented(action) if row[0] == f"`{field.key}`"]
    value: Any = {"string": "x", "boolean": True, "object": {"latitude": 1}}[field.types[0]]
    value = REQUIRED.get(field.key, value)
    known = {each.key for each in action.fields}
    base = {key: each for key, each in REQUIRED.items() if key in known and key != field.key}

    def body(mapping: object) -> Any:
        line = {"action": action.slug, "subscribe": 'type = "any"', "mapping": mapping, "event": {"type": "any"}}
        [request] = json.loads(said(FIRST_CONFIGURATION, "preview", given=json.dumps(line)).out)["requests"]
        return request["json"].get("events", [request["json"]])[0]

    sent = body({**base, field.key: value})
    if shown == "nothing":
        assert sent == body(base)
    else:
        assert sent[code(shown)] == value


@pytest.mark.parametrize("row", rows("field", "value", "becomes"), ids=lambda row: f"{row[0]} {row[1]}")
def test_every_value_of_a_field_becomes_what_its_row_says(row: list[str]) -> None:
    assert payload(code(row[0]), json.loads(code(row[1]))) == row[2]


@pytest.mark.parametrize("row", rows("given", "sent"), ids=lambda row: row[0])
def test_every_timestamp_is_sent_as_its_row_says(row: list[str]) -> None:
    assert payload("timestamp", json.loads(code(row[0]))) == row[1]


def payload(key: str, value: object) -> str:
    action = next(action for action, field in fields() if field.key == key)
    base = {each.key: REQUIRED[each.key] for each in action.fields if each.required}
    mapping = compile_subscription("shown", action, action.subscribe, {**base, key: {"@path": "$.value"}})
    try:
        found = mapping.payload({"value": value})
    except InvalidEvent:
        return "refused"
    return f"`{json.dumps(found[key])}`" if key in found else "left out"


def sent() -> Iterator[tuple[str, Any, Any]]:
    """A configuration, an event and the requests: of the latest of both, or of a destination without mappings."""
    configuration, event = "", None
    for block in BLOCKS:
        if block.kind == "yaml":
            configuration = block.text
        elif block.kind == "json event":
            event = json.loads(block.text)
        elif block.kind.startswith("json requests"):
            without = re.sub(r"    mappings:\n.*", "", configuration, flags=re.DOTALL)
            yield without if block.kind.endswith("presets") else configuration, event, json.loads(block.text)


@pytest.mark.parametrize(("configuration", "event", "requests"), list(sent()))
def test_every_event_becomes_the_shown_requests(
    said: Callable[..., Said], configuration: str, event: Any, requests: Any
) -> None:
    answer = said(configuration, "preview", given=json.dumps({"event": event})).json
    assert (answer["error"], answer["skipped"]) == (None, [])
    for each in answer["requests"]:
        del each["headers"]
    assert same(requests, answer["requests"])


def test_the_shown_personas_are_those_of_a_change() -> None:
    [shown] = [json.loads(block.text)["context"]["personas"] for block in BLOCKS if '"personas": {' in block.text]
    assert shown == persona("shop", Kind.AUDIENCE, "big_spenders", shown["computation_id"])


# The shell


def conversations() -> Iterator[tuple[str, str, str]]:
    """A configuration, a command and what it prints; ``preview`` stands beside the page's first configuration."""
    configuration = ""
    for block in BLOCKS:
        if block.kind == "yaml":
            configuration = block.text
        elif block.kind == "console":
            for each in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
                command, _, printed = each.partition("\n")
                yield FIRST_CONFIGURATION if "preview" in command else configuration, command, printed


def without_version(text: str) -> Any:
    return json.loads(re.sub(r"engage-sync/[\w.+]+", "engage-sync/VERSION", text))


@pytest.mark.parametrize(("configuration", "command", "printed"), list(conversations()))
def test_every_command_prints_what_is_shown(
    said: Callable[..., Said], configuration: str, command: str, printed: str
) -> None:
    words = shlex.split(command)
    given = ""
    if words[0] == "echo":
        given, words = words[1], words[words.index("|") + 1 :]
    answer = said(configuration, *words[1:], given=given)
    assert answer.code == 0
    if given:
        assert same(without_version(printed), without_version(answer.out))
    else:
        assert set(printed.splitlines()) <= set(answer.out.splitlines())
        assert printed


def test_every_member_and_option_of_preview_has_an_example() -> None:
    commands = [command for _, command, _ in conversations() if "preview" in command]
    for wanted in ('"event"', '"events"', '"action"', '"settings"', "--op fql", "--op map"):
        assert any(wanted in command for command in commands), wanted
