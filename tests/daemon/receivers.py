"""Configurations with somebody to alert, and what such a one received."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sync.config import Settings, load
from tests.deliver.wire import Server

SECRET = "hunter2-Tr0ub4dor"
PATH = "/hook/t0ken?key=k3y"


def configured(folder: Path, *receivers: Mapping[str, object], definitions: int = 1) -> Settings:
    """Settings of a project `shop` with destinations `push` and `other`, and audiences `vip`, `vip_1`, …."""
    destination = {"type": "pushwoosh", "api_key": "key", "app_code": "CODE", "base_url": "http://127.0.0.1:1"}
    names = ["vip", *(f"vip_{number}" for number in range(1, definitions))]
    document = {
        "version": 1,
        "project": "shop",
        "sources": {"shop": "sqlite:///shop.db"},
        "destinations": {"push": destination, "other": destination},
        "audiences": [{"name": name, "sql": "select 1"} for name in names],
        "alerts": receivers,
    }
    path = folder / "alerted.yaml"
    path.write_text(json.dumps(document))
    return load(path, {})


def webhook(server: Server | None = None, **more: object) -> dict[str, object]:
    """A signed receiver, at ``server``."""
    port = server.port if server else 1
    return {"type": "webhook", "url": f"http://127.0.0.1:{port}{PATH}", "secret": SECRET, **more}


def slack(server: Server | None = None, **more: object) -> dict[str, object]:
    """A receiver of texts, at ``server``."""
    port = server.port if server else 1
    return {"type": "slack", "url": f"http://127.0.0.1:{port}{PATH}", **more}


def bodies(server: Server) -> list[dict[str, Any]]:
    """The documents that arrived, in order."""
    return [json.loads(request.partition(b"\r\n\r\n")[2]) for request in server.requests]


def heard(server: Server) -> list[tuple[str, str, str]]:
    """Every change that arrived: alert, subject, state."""
    return [
        (each["alert"], each.get("destination") or each["definition"], each["state"])
        for body in bodies(server)
        for each in body["alerts"]
    ]
