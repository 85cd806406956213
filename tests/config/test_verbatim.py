"""What is pasted below ``mappings`` arrives as JSON has it: nothing filled in, nothing made of it by YAML."""

from __future__ import annotations

import json
import pathlib
import re
import textwrap
from typing import Any

import orjson
import pytest
import yaml
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from sync.config import document, interpolate
from sync.config.problems import Problems

# YAML says that it takes no raw control characters, and reads these three, where they are raw, as ends of lines.
NOT_IN_YAML = re.compile(f"{yaml.reader.Reader.NON_PRINTABLE.pattern}|[\x85\u2028\u2029]")

# Everything that JSON has, but what no float holds and what is no character.
CHARACTERS = st.characters(exclude_categories=("Cs",))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS, max_size=12)
    | st.sampled_from(
        ["$.a", "$$", "$&", "${A}", "$${A}", "${", "{{a}}", "@path", "NO", "1", "null", "2024-05-17", "😀"]
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(CHARACTERS, max_size=8), inner, max_size=4),
    max_leaves=12,
)


def read(path: pathlib.Path, text: str) -> tuple[Any, Problems]:
    """The document as the models get it."""
    path.write_text(text, encoding="utf-8")
    problems = Problems("sync.yaml")
    return interpolate.fill(document.read(path, problems), {"A": "filled"}, problems), problems


def fields_of(path: pathlib.Path, written: str) -> Any:
    """What ``mapping`` of the first mapping is, when this is written there."""
    head = "destinations:\n  pw:\n    mappings:\n    - mapping:\n"
    found, problems = read(path, head + textwrap.indent(written, "        "))
    assert problems.sentences() == []
    return found["destinations"]["pw"]["mappings"][0]["mapping"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(fields=st.dictionaries(st.text(CHARACTERS, max_size=8), VALUES, max_size=4), ascii_only=st.booleans())
def test_json_that_is_pasted_is_read_as_json(tmp_path: pathlib.Path, fields: Any, ascii_only: bool) -> None:
    entry = json.dumps({"mapping": fields}, ensure_ascii=ascii_only)
    if not ascii_only:
        assume(not NOT_IN_YAML.search(entry))
    found, problems = read(tmp_path / "sync.yaml", f'{{"destinations":{{"pw":{{"mappings":[{entry}]}}}}}}')
    assert problems.sentences() == []
    mapping = found["destinations"]["pw"]["mappings"][0]["mapping"]
    # As text: True is 1 to Python, and the order of keys shows.
    assert repr(mapping) == repr(orjson.loads(json.dumps(fields)))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a: NO", {"a": "NO"}),
        ("a: off", {"a": "off"}),
        ("a: 2024-05-17", {"a": "2024-05-17"}),
        ("a: 2024-05-17T10:11:12Z", {"a": "2024-05-17T10:11:12Z"}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 007", {"a": "007"}),
        ("a: +47", {"a": "+47"}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 0x1F", {"a": "0x1F"}),
        ("a: .5", {"a": ".5"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: '5'", {"a": "5"}),
        ("a: !!str 5", {"a": "5"}),
        ("a: |\n  two\n  lines", {"a": "two\nlines"}),
        ("a: $.userId", {"a": "$.userId"}),
        ("a: costs ${{properties.price}}", {"a": "costs ${{properties.price}}"}),
        ("a: ${A} $${A} $$ $& $A", {"a": "${A} $${A} $$ $& $A"}),
        (
            "a: true\nb: False\nc: null\nd:\ne: ~\nf: ''",
            {"a": True, "b": False, "c": None, "d": None, "e": None, "f": ""},
        ),
        ("a: 1\nb: -2.5\nc: 1e21\nd: 1.0", {"a": 1, "b": -2.5, "c": 1e21, "d": 1.0}),
        ("b: 1\na: 2\n'10': 3\n'9': 4", {"b": 1, "a": 2, "10": 3, "9": 4}),
    ],
)
def test_a_plain_value_is_what_json_makes_of_it_else_text(
    tmp_path: pathlib.Path, written: str, meant: dict[str, object]
) -> None:
    assert repr(fields_of(tmp_path / "sync.yaml", written)) == repr(meant)


def test_elsewhere_variables_are_filled_in_and_yaml_has_its_way(tmp_path: pathlib.Path) -> None:
    text = "destinations: {pw: {api_key: '${A}', mappings: ['${A}'], limits: {mappings: '${A}', x: NO}}}\n"
    found, _ = read(tmp_path / "sync.yaml", text)
    assert found["destinations"]["pw"] == {
        "api_key": "filled",
        "mappings": ["${A}"],
        "limits": {"mappings": "filled", "x": False},
    }


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("a: {@path: $.userId}", "sync.yaml:5: is not valid YAML: found character '@' that cannot start any token; put quotes around a key"),
        ("a:\n  @path: $.userId", "sync.yaml:6: is not valid YAML: found character '@' that cannot start any token; put quotes around a key"),
        ("a: {{userId}}", "sync.yaml:5: destinations.pw.mappings[0].mapping.a: has a `{` where a key is due: put quotes around a template"),
        ("a: {{a}} {{b}}", "sync.yaml:5: is not valid YAML: expected <block end>, but found '{'; put quotes around the whole"),
        ('a: !contains(event, "x")', "sync.yaml:5: is not valid YAML: expected <block end>, but found '<scalar>'; put quotes around the whole"),
        ("a: !!binary aGk=", "sync.yaml:5: destinations.pw.mappings[0].mapping.a: has a tag or a form"),
        ("a: 1e400", "sync.yaml:5: destinations.pw.mappings[0].mapping.a: has a tag or a form"),
        ('a: "\\ud800"', "sync.yaml:5: destinations.pw.mappings[0].mapping.a: has a tag or a form"),
        ("1: a", "sync.yaml:5: destinations.pw.mappings[0].mapping: has a key that is not text: put quotes"),
    ],
)  # fmt: skip
def test_what_yaml_does_not_take_says_what_to_put_in_quotes(tmp_path: pathlib.Path, written: str, said: str) -> None:
    head = "destinations:\n  pw:\n    mappings:\n    - mapping:\n"
    _, problems = read(tmp_path / "sync.yaml", head + textwrap.indent(written, "        "))
    assert problems.sentences()[0].startswith(said)
