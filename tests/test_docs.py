"""The documentation says what is there: every command, every option, examples that parse."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from sync.cli import cli

DOCS = Path(__file__).parents[1] / "docs"
COMMANDS = (DOCS / "commands.md").read_text(encoding="utf-8")
SHARED = {"--config", "--log-level", "--debug", "--help", "-h"}


def commands(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something by itself, by the words after ``engage-sync``."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        words = (*path, name)
        if not isinstance(found, click.Group) or found.invoke_without_command:
            yield " ".join(words), found
        if isinstance(found, click.Group):
            yield from commands(found, words)


EVERY = dict(commands(cli))
SECTIONS = dict(re.findall(r"^## `([^`]+)`\n(.*?)(?=^## |\Z)", COMMANDS, re.DOTALL | re.MULTILINE))


def options(command: click.Command) -> set[str]:
    """The options that are a command's own."""
    found = {option for each in command.params if isinstance(each, click.Option) for option in each.opts}
    return found - SHARED


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert list(SECTIONS) == [name for name in SECTIONS if name in EVERY]
    assert set(EVERY) == set(SECTIONS)


@pytest.mark.parametrize("name", EVERY)
def test_every_option_is_documented_and_every_documented_option_exists(name: str) -> None:
    rows = set(re.findall(r"^\| `(--[\w-]+)", SECTIONS[name], re.MULTILINE))
    assert rows == options(EVERY[name])


def test_the_shared_options_are_documented_once() -> None:
    for option in SHARED:
        assert f"`{option}" in COMMANDS
    for each in EVERY.values():
        given = {
            option for parameter in each.params if isinstance(parameter, click.Option) for option in parameter.opts
        }
        assert given & SHARED <= SHARED


def examples() -> list[str]:
    found = [
        line.removeprefix("$ engage-sync ")
        for path in sorted(DOCS.glob("*.md"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("$ engage-sync ")
    ]
    assert found
    return found


@pytest.mark.parametrize("example", examples())
def test_every_example_is_a_command_line_that_parses(example: str) -> None:
    words = shlex.split(re.split(" [<>|] ", example)[0], comments=True)
    group: click.Command = cli
    context = click.Context(cli, info_name="engage-sync")
    while isinstance(group, click.Group) and words:
        found = group.get_command(context, words[0])
        if found is None:
            assert group.invoke_without_command, example
            break
        group, words = found, words[1:]
        context = click.Context(group, parent=context)
    with group.make_context(group.name, words, parent=context.parent, resilient_parsing=False):
        pass


@pytest.mark.parametrize("name", [name for name, section in SECTIONS.items() if "```json" in section])
def test_every_json_example_is_json(name: str) -> None:
    for block in re.findall(r"```json\n(.*?)```", SECTIONS[name], re.DOTALL):
        json.loads(block)


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.md")), ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target
