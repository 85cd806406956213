"""The image and the unit run what exists, may do little, and end the daemon in good order."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from sync.config import load
from sync.daemon.daemon import DRAIN_SECONDS
from tests.deploy.shipped import COMPOSE, DEPLOY, DOCKERFILE, ROOT, UNIT, instructions, parses, unit, words

ANALYZE = shutil.which("systemd-analyze")
EXAMPLE = dict(
    line.split("=", 1) for line in (DEPLOY / "env.example").read_text().splitlines() if line and line[0] != "#"
)
DAEMON = COMPOSE["services"]["daemon"]
MOST_LENIENT = 20
"""Of 100, as systemd counts what a unit exposes."""


def value(section: str, name: str) -> str:
    return str(unit()[section][name])


def of(name: str) -> list[str]:
    return [rest for found, rest in instructions() if found == name]


def test_the_units_command_line_is_one_and_names_the_files_it_says() -> None:
    program, *rest = words(value("Service", "ExecStart"))
    assert parses(rest) == "daemon"
    text = UNIT.read_text()
    for path in (program.removesuffix("/bin/engage-sync"), rest[rest.index("--config") + 1]):
        assert re.search(rf"^# +{path} ", text, re.MULTILINE), path
    assert "-HUP $MAINPID" in value("Service", "ExecReload")


def test_the_unit_waits_for_longer_than_a_stop_takes_and_goes_on_after_failures_only() -> None:
    assert float(value("Service", "TimeoutStopSec")) > DRAIN_SECONDS + 10
    assert value("Service", "KillMode") == "mixed"  # one signal to one process: the second one aborts
    assert value("Service", "Restart") == "on-failure"
    assert value("Service", "RestartPreventExitStatus") == "2"
    assert value("Unit", "StartLimitIntervalSec") == "0"


def test_the_unit_hides_no_processes_so_that_leases_of_the_dead_are_taken_over_at_once() -> None:
    assert not {"ProtectProc", "ProcSubset", "PrivatePIDs"} & set(unit()["Service"])


def test_the_units_user_is_the_one_that_sysusers_makes() -> None:
    kind, name, *_ = words((DEPLOY / "engage-sync.sysusers").read_text().splitlines()[-1])
    assert kind == "u"
    assert name == value("Service", "User") == value("Service", "Group")


@pytest.mark.skipif(ANALYZE is None, reason="there is no systemd here")
def test_systemd_takes_the_unit_and_finds_it_tight(tmp_path: Path) -> None:
    copy = tmp_path / UNIT.name
    copy.write_text(UNIT.read_text().replace("/opt/engage-sync/bin/engage-sync", sys.executable))
    said = subprocess.run([str(ANALYZE), "verify", str(copy)], capture_output=True, text=True, check=False)
    assert UNIT.name not in said.stderr, said.stderr
    judged = subprocess.run(
        [str(ANALYZE), "security", "--offline=true", f"--threshold={MOST_LENIENT}", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout + judged.stderr


def test_the_image_copies_what_exists_and_what_its_context_lets_through() -> None:
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    let_through = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored
    copied = {name for rest in of("COPY") if "--from" not in rest for name in rest.split()[:-1]}
    assert copied == let_through
    for name in copied:
        assert (ROOT / name).exists(), name


def test_the_image_has_all_that_the_wheel_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {project["project"]["readme"], *project["project"]["license-files"], *wheel["packages"]}
    wanted |= set(wheel["force-include"]) | {"pyproject.toml"}
    copied = {name for rest in of("COPY") if "--from" not in rest for name in rest.split()[:-1]}
    assert wanted <= copied


def test_everything_that_the_image_installs_is_checked_against_its_hash() -> None:
    installs = [
        command for rest in of("RUN") for command in rest.split("&&") if re.search(r"pip (install|wheel) ", command)
    ]
    assert len(installs) == 4
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command, command
        said = subprocess.run(
            [sys.executable, "-m", "pip", *command.split("-m pip ")[1].split()[:1], "--help"],
            capture_output=True,
            text=True,
            check=True,
        )
        for flag in re.findall(r"--[a-z-]+", command):
            assert flag in said.stdout, flag


def test_what_builds_the_wheel_is_pinned_as_for_development() -> None:
    pins = r"^([\w-]+==\S+(?: ;[^\\]*)?) \\\n((?:    --hash=\S+(?: \\)?\n)+)"
    development = dict(re.findall(pins, (ROOT / "requirements" / "dev.txt").read_text(), re.MULTILINE))
    building = dict(re.findall(pins, (ROOT / "requirements" / "build.txt").read_text(), re.MULTILINE))
    assert any(name.startswith("hatchling==") for name in building)
    assert building.items() <= development.items()


def test_the_image_runs_the_daemon_as_somebody_without_rights() -> None:
    assert json.loads(of("ENTRYPOINT")[0]) == ["engage-sync"]
    assert parses(json.loads(of("CMD")[0])) == "daemon"
    user, _, group = of("USER")[0].partition(":")
    assert user.isdigit()
    assert int(user) > 0
    made = of("RUN")[-1]
    assert f"--uid {user}" in made
    assert f"--gid {group}" in made
    assert fnmatch(DOCKERFILE, "*FROM python:*FROM python:*")  # the one that runs is not the one that builds


def test_the_health_check_asks_where_the_daemon_listens() -> None:
    check = of("HEALTHCHECK")[0]
    command = json.loads(check[check.index("[") :])
    compile(command[2], "HEALTHCHECK", "exec")
    host, port, path = re.findall(r"'([\d.]+)', (\d+).*'(/\w+)'", command[2])[0]
    assert (host, path) == ("127.0.0.1", "/healthz")
    assert of("EXPOSE") == [port]
    settings = load(DEPLOY / "config" / "sync.yaml", environment())
    assert settings.web.listen is not None
    assert (settings.web.listen.host, settings.web.listen.port) == ("0.0.0.0", int(port))  # noqa: S104
    assert DAEMON["expose"] == [port]


def environment() -> dict[str, str]:
    """The daemon's variables, as compose fills them in from the example."""

    def filled(text: str) -> str:
        return re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda found: EXAMPLE[found[1]], text)

    return {name: filled(text) for name, text in DAEMON["environment"].items()}


def test_the_containers_configuration_loads_with_the_variables_of_the_example() -> None:
    settings = load(DEPLOY / "config" / "sync.yaml", environment())
    assert settings.store.url.get_secret_value().endswith("@postgres:5432/engage")
    assert "postgres" in COMPOSE["services"]
    assert settings.web.token is not None
    assert set(EXAMPLE) == set(re.findall(r"\$\{(\w+)", (DEPLOY / "compose.yaml").read_text()))


def test_a_variable_that_is_added_to_the_containers_configuration_needs_a_line_in_env_alone(tmp_path: Path) -> None:
    for service in ("migrate", "daemon"):
        assert COMPOSE["services"][service]["env_file"] == [".env"]
    example = (DEPLOY / "env.example").read_text()
    (name, value), *others = re.findall(r"^# (\w+)=(\S+)$", example, re.MULTILINE)
    assert not others
    text = (DEPLOY / "config" / "sync.yaml").read_text()
    alerted = re.sub(r"^# (alerts:|  - )", r"\1", text, flags=re.MULTILINE)
    assert alerted != text
    (tmp_path / "sync.yaml").write_text(alerted)
    settings = load(tmp_path / "sync.yaml", environment() | {name: value})
    assert [each.url.get_secret_value() for each in settings.alerts] == [value]


@pytest.mark.parametrize("service", ["migrate", "daemon"])
def test_containers_may_do_little_and_their_command_lines_parse(service: str) -> None:
    found = COMPOSE["services"][service]
    assert parses(found["command"]) == service
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    context = (DEPLOY / found["build"]["context"]).resolve()
    assert (context / found["build"]["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    folder, inside, how = found["volumes"][0].split(":")
    assert (DEPLOY / folder / "sync.yaml").is_file()
    assert f"ENGAGE_SYNC_CONFIG={inside}/sync.yaml" in DOCKERFILE
    assert how == "ro"


def test_several_daemons_can_run_and_start_after_the_migration() -> None:
    assert "ports" not in DAEMON
    assert "container_name" not in DAEMON
    assert DAEMON["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
    assert COMPOSE["services"]["migrate"]["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert float(DAEMON["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS + 10
    assert not DAEMON["healthcheck"].get("disable")
