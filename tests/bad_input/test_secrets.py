"""A password or key is never printed: not by an error, not in a traceback, not in the most talkative log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bad_input.conftest import definitions
from tests.command import Project, engage_sync, serving

SECRET = "hunter2-Tr0ub4dor"

Change = Callable[[Project], object]


def source(url: str) -> Change:
    return lambda project: project.write(sources={"shop": {"url": url}})


def store(url: str) -> Change:
    return lambda project: project.write(store=url)


def destination(**settings: object) -> Change:
    def change(project: Project) -> None:
        project.write(destinations={"pushwoosh": project.document["destinations"]["pushwoosh"] | settings})

    return change


CHANGES: dict[str, Change] = {
    "source away": source(f"postgresql://shop:{SECRET}@127.0.0.1:1/shop"),
    "source host unknown": source(f"postgresql://shop:{SECRET}@host.invalid/shop"),
    "source host is the password": source(f"postgresql://shop:p@{SECRET}@127.0.0.1:1/shop"),
    "source port is none": source(f"postgresql://shop:{SECRET}@127.0.0.1:port/shop"),
    "source of a kind unknown": source(f"mysql://shop:{SECRET}@127.0.0.1/shop"),
    "source no url": source(f"postgresql//shop:{SECRET}@127.0.0.1/shop"),
    "source option": source(f"postgresql://shop@127.0.0.1:1/shop?password={SECRET}"),
    "source option unknown": source(f"postgresql://shop@127.0.0.1:1/shop?passwort={SECRET}"),
    "store away": store(f"postgresql://shop:{SECRET}@127.0.0.1:1/shop"),
    "store port is none": store(f"postgresql://shop:{SECRET}@127.0.0.1:port/shop"),
    "store no url": store(f"postgresql//shop:{SECRET}@127.0.0.1/shop"),
    "store option unknown": store(f"postgresql://shop@127.0.0.1:1/shop?passwort={SECRET}"),
    "key refused": destination(api_key=SECRET),
    "key with a line break": destination(api_key=f"{SECRET}\nX-Other: 1"),
    "key of the wrong type": destination(api_key=[SECRET]),
    "key where none belongs": destination(key=SECRET),
    "key in the address": destination(base_url=f"http://user:{SECRET}@127.0.0.1:1"),
    "address is no url": destination(base_url=SECRET),
    "destination away": destination(api_key=SECRET, base_url="http://127.0.0.1:1"),
    "file is the secret": destination(api_key="${file:/" + SECRET + "}"),
    "variable is the secret": lambda project: project.write(project="${HIDDEN}"),
    "schema is the secret": lambda project: project.write(
        store={"url": "postgresql://x@127.0.0.1:1/x", "schema": f"{SECRET} "}
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_no_secret_is_ever_printed(tmp_path: Path, name: str) -> None:
    shop = tmp_path / "shop.db"
    shop.touch()
    found = definitions() | {"audiences": [{"name": "Members", "sql": "select 'u1' as user_id"}], "traits": []}
    with serving(tmp_path, f"sqlite:///{tmp_path}/store.db", f"sqlite:///{shop}", **found) as project:
        CHANGES[name](project)
        for command in (("check",), ("plan",), ("delta", "--wait", "0"), ("status",), ("migrate",)):
            for more in ((), ("--debug", "--log-level", "debug")):
                said = engage_sync(
                    *command, *more, "--config", str(project.config), environment={"HIDDEN": f"{SECRET}!"}
                )
                assert said.code in (0, 1, 2)
                assert "unexpected" not in said.err, (command, said.err)
                assert SECRET not in said.out + said.err, (command, more)
