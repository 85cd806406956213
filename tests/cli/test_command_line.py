"""The command line itself: help, other ways to call it, readers who leave, the wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import httpx
import orjson
import pytest

from sync import __version__
from sync.cli import cli
from tests.command import Project, engage_sync


def commands(group: click.Command = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that lead to it."""
    yield path, group
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


EVERY = dict(commands())


@pytest.mark.parametrize("path", EVERY, ids=lambda path: " ".join(path) or "engage-sync")
def test_every_command_explains_itself_and_its_options(path: tuple[str, ...]) -> None:
    said = engage_sync(*path, "--help")
    assert said.code == 0
    assert said.out.startswith(f"Usage: {' '.join(('engage-sync', *path))} ")
    assert EVERY[path].help
    for parameter in EVERY[path].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, (path, parameter.name)


def test_the_version_is_the_packages() -> None:
    assert engage_sync("--version").out == f"engage-sync, version {__version__}\n"


def test_no_command_at_all_shows_the_help() -> None:
    said = engage_sync()
    assert said.code == 2
    assert "Commands:" in said.err


def test_the_module_is_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "sync", "--version"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"engage-sync, version {__version__}\n"


def test_the_environment_can_name_the_configuration(project: Project) -> None:
    environment = {"ENGAGE_SYNC_CONFIG": str(project.config)}
    assert engage_sync("status", environment=environment).code == 0
    other = engage_sync("status", "--config", "elsewhere.yaml", environment=environment)
    assert other.code == 2
    assert "elsewhere.yaml" in other.err


def test_logs_are_json_lines_on_standard_error(project: Project) -> None:
    said = project("delta", "--json", "--log-level", "info")
    assert said.json["exit_code"] == 0
    assert '"event":"run.succeeded"' in said.err
    assert all(line.startswith("{") for line in said.err.splitlines())


def test_a_traceback_is_shown_only_when_asked_for(project: Project) -> None:
    assert "Traceback" not in project("delta", "nobody").err
    assert "Traceback" in project("delta", "nobody", "--debug").err


@pytest.mark.parametrize("arguments", [("runs",), ("audience", "members", "number", "--csv"), ("status", "--json")])
def test_a_reader_who_has_enough_is_no_failure(synced: Project, arguments: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # whoever reads is gone before the first line
    command = [sys.executable, "-m", "sync", *arguments, "--config", str(synced.config)]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_stands_in_the_data_cannot_steer_the_terminal(project: Project) -> None:
    project.write(
        audiences=[],
        traits=[{"name": "Note", "sql": "select 'u1' as user_id, '[red]x' || char(27) || '[31m' as value"}],
    )
    project.done("delta")
    said = project.done("user", "show", "u1").out
    assert "[red]x" in said
    assert "\x1b" not in said


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, as `make wheel` builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-build-isolation", "--no-deps", "-w", str(folder)]
    subprocess.run([*command, str(root)], check=True, capture_output=True)
    (built,) = folder.glob("engage_sync-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh virtual environment with the wheel, which borrows the dependencies of this one; gives its command."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    command = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-q", "--no-deps"]
    subprocess.run([*command, "--no-index", str(wheel)], check=True, capture_output=True)
    # Appended, so that the wheel's own package is found first; this environment's own .pth files are not read.
    borrowed = Path(click.__file__).parents[1]
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    return folder / "bin" / "engage-sync"


def test_an_installed_wheel_works_in_an_empty_directory(installed: Path, tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COVERAGE_PROCESS_CONFIG")
    }

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [installed, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = "import sync; print(sync.__file__)"
    place = subprocess.run(
        [installed.parent / "python", "-c", where],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(place.stdout.strip()).is_relative_to(installed.parents[1])

    run("init")
    lines = (tmp_path / ".env.example").read_text().splitlines()
    environment |= dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    assert "3 definitions" in run("check", "--offline")
    assert "schema none -> " in run("migrate")
    assert (tmp_path / "engage-sync.db").exists()
    assert '"$schema"' in run("schema")


def test_the_installed_sandbox_starts_answers_and_stops_on_sigterm(installed: Path, tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COVERAGE_PROCESS_CONFIG")
    }
    command = [installed, "sandbox", "--listen", "127.0.0.1:0", "--json"]
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = orjson.loads(process.stdout.readline())["base_url"]
        assert httpx.get(f"{url}/_sandbox/stats", timeout=60).json()["requests"] == 0
        process.terminate()
        assert orjson.loads(process.stdout.readline())["event"] == "stopped"
        assert process.wait(60) == 0
