"""The command line as a user types it, run in this process; and a project (sync.yaml, sandbox) to run it on."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import orjson
import yaml

from sync.cli import main
from sync.destinations.sandbox import Sandbox, SandboxThread

API_KEY = "api-key-of-the-tests"


@dataclass(frozen=True)
class Said:
    """What a command ended with and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, read as one JSON document."""
        return orjson.loads(self.out)


def engage_sync(*arguments: str, environment: Mapping[str, str] | None = None) -> Said:
    """Run one command in this process."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
    with mock.patch.dict(os.environ, environment or {}), redirect_stdout(out), redirect_stderr(err):
        code = main(list(arguments))
    return Said(code, *(each.buffer.getvalue().decode() for each in (out, err)))  # type: ignore[attr-defined]


@dataclass
class Project:
    """A folder with ``sync.yaml`` and a sandbox as its destination. ``project(…)`` runs a command there.

    ``document`` is what ``sync.yaml`` holds: change it, then ``write()``.
    """

    folder: Path
    sandbox: Sandbox
    document: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "sync.yaml"

    def write(self, **sections: object) -> None:
        """Write ``sync.yaml``, with these sections changed (``None`` takes one out)."""
        self.document.update(sections)
        content = {name: section for name, section in self.document.items() if section is not None}
        self.config.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")

    def __call__(self, *arguments: str) -> Said:
        return engage_sync(*arguments, "--config", str(self.config))

    def done(self, *arguments: str) -> Said:
        """Run a command that must succeed."""
        said = self(*arguments)
        assert said.code == 0, f"{arguments} ended with {said.code}:\n{said.out}{said.err}"
        return said

    def json(self, *arguments: str) -> Any:
        """Run a command with ``--json``, whatever its exit code."""
        return self(*arguments, "--json").json


@contextmanager
def serving(
    folder: Path, store: object, source: str, *, transport: str = "segment-integration", **sections: object
) -> Iterator[Project]:
    """A project called ``shop`` with a source ``shop`` and a sandbox as its destination ``pushwoosh``."""
    sandbox = Sandbox(api_keys=[API_KEY])
    with SandboxThread(sandbox) as server:
        project = Project(folder, sandbox)
        project.write(
            version=1,
            project="shop",
            store=store,
            sources={"shop": {"url": source}},
            destinations={
                "pushwoosh": {
                    "type": "pushwoosh",
                    "transport": transport,
                    "api_key": API_KEY,
                    "app_code": "APP",
                    "base_url": server.url,
                }
            },
            defaults={"source": "shop", "destinations": ["pushwoosh"]},
            **sections,
        )
        yield project
