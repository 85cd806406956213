"""YAML is read safely: no doubled keys, no bombs, no text of the file in a complaint about the file."""

from __future__ import annotations

import pathlib
from collections.abc import Callable

import pytest

from sync.config import Settings, load
from sync.errors import ConfigurationError

Load = Callable[..., Settings]
Problems = Callable[..., list[str]]


def test_an_alias_may_be_used(settings_of: Load) -> None:
    settings = settings_of(
        "version: 1\nsources: {s: 'sqlite:///s'}\ntraits:\n- {name: A, sql: &q select 1}\n- {name: B, sql: *q}\n"
    )
    assert [definition.sql for definition in settings.definitions] == ["select 1", "select 1"]


def test_aliases_that_multiply_are_stopped(problems_of: Problems) -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    assert "aliases multiply" in problems_of("\n".join(levels))[0]


@pytest.mark.parametrize("text", ["a: &a [*a]", "a: " + "[" * 5000, "a: " + "[" * 60 + "]" * 60])
def test_endless_nesting_is_stopped(problems_of: Problems, text: str) -> None:
    assert "nested too deeply" in problems_of(text)[0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "sync.yaml: is empty"),
        ("# nothing\n", "sync.yaml: is empty"),
        ("- a\n", "sync.yaml: must be a mapping"),
        ("version: 1\nsources: {a: hunter2: b}\n", "sync.yaml:2: is not valid YAML"),
        ("version: 1\nstore: *hunter2\n", "sync.yaml:2: is not valid YAML: found undefined alias a text; put quotes"),
        ("version: 1\nproject: a: b\n", "sync.yaml:2: is not valid YAML: mapping values are not allowed here; put"),
        ('version: 1\nproject: "\\hunter2"\n', "sync.yaml:2: is not valid YAML"),
        (
            "version: 1\n\tproject: a\n",
            "sync.yaml:2: is not valid YAML: found a tab where only spaces may stand; indent with spaces",
        ),
        ("version: 1\na: [b: 'c' 'hunter2']\n", "sync.yaml:2: is not valid YAML: expected `,` or `]`, but got"),
        ("version: 1\na: {b: 'c' 'hunter2'}\n", "sync.yaml:2: is not valid YAML: expected `,` or `}`, but got"),
        ("version: 1\nproject: a\x07b\n", "sync.yaml:2: has a character that YAML does not allow"),
        ("version: 1\n1: a\n", "sync.yaml:2: has a key that is not text"),
        ("version: 1\n[a]: a\n", "sync.yaml:2: has a key that is not text"),
        ("version: 1\n<<: {project: a}\n", "sync.yaml:2: has a merge key"),
        ("version: 1\nproject: !hunter2 a\n", "sync.yaml:2: project: has a tag or a form"),
        ("version: 1\nproject: !!python/name:os.system\n", "sync.yaml:2: project: has a tag or a form"),
        ("version: 1\nproject: 2026-99-99\n", "sync.yaml:2: project: has a tag or a form"),
        ("version: 1\nversion: 1\n", "sync.yaml:2: version: is given twice, first in line 1: keep one of them"),
        ("version: 1\n---\nversion: 1\n", "sync.yaml:2: is not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(problems_of: Problems, text: str, said: str) -> None:
    problems = problems_of(text)
    assert problems[0].startswith(said)
    assert not any("hunter2" in problem for problem in problems)


def test_only_small_utf8_files_are_read(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "sync.yaml"
    for content, said in (
        (b"#" * (1024 * 1024 + 1), "larger than 1 MB"),
        (b"version: 1\n# \xff\n", ":2: is not UTF-8"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=said):
            load(path, {})
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path, {})
