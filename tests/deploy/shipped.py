"""What ``deploy/`` holds, read once."""

from __future__ import annotations

import configparser
import json
import re
import shlex
from pathlib import Path
from typing import Any

import click
import yaml

from sync.cli import cli

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
RULES: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text(encoding="utf-8"))
SCRAPING: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8"))
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana" / "engage-sync.json").read_text(encoding="utf-8"))
UNIT = DEPLOY / "engage-sync.service"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")


def unit() -> configparser.RawConfigParser:
    """The systemd unit; of a setting that stands twice, the last."""
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(UNIT.read_text(encoding="utf-8"))
    return parser


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile's instructions, with lines put together."""
    text = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", DOCKERFILE, flags=re.MULTILINE))
    return [(name, rest) for name, _, rest in (line.strip().partition(" ") for line in text.splitlines() if line)]


def parses(words: list[str]) -> str:
    """Take ``words`` as a command line of engage-sync; gives the command's name. Raises what click raises."""
    name, *rest = words
    context = click.Context(cli, info_name="engage-sync")
    found = cli.get_command(context, name)
    assert found is not None, f"{name} is no command"
    with found.make_context(name, rest, parent=context):
        return name


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)


def queries() -> list[tuple[str, str]]:
    """Every PromQL expression there is, with where it stands."""
    rules = [(rule["alert"], rule["expr"]) for group in RULES["groups"] for rule in group["rules"]]
    panels = [(panel["title"], target["expr"]) for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return rules + panels
