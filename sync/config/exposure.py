"""What must hold between the addresses that the daemon listens on, and between the keys that open them.

Works on the plain data, like ``references``; whatever has the wrong type is passed over here, the models have reported it.
"""

from __future__ import annotations

from sync.config import listen
from sync.config.intake import DEFAULT_COLLECTOR
from sync.config.listen import Address
from sync.config.problems import Path, Problems
from sync.config.schema import DEFAULT_WEB

Mapping = dict[str, object]


def check(document: Mapping, problems: Problems) -> None:
    """Report doors that are open to everybody, two on one port, and keys that are told apart by nothing."""
    web = document.get("web")
    shown = web if isinstance(web, dict) else {"listen": web}
    _check_web(shown, problems)
    collector = document.get("collector")
    if isinstance(collector, dict):
        _check_ports(shown, collector, problems)
        _check_names(collector, problems)
        _check_keys(collector, problems)


def _check_web(web: Mapping, problems: Problems) -> None:
    """What other hosts can reach wants a token."""
    address = _address(web, DEFAULT_WEB)
    unresolved = any(problems.is_unresolved(("web", key)) for key in ("listen", "token"))
    if address is None or address.is_loopback or web.get("token") or unresolved:
        return
    problems.add(
        ("web", "listen"),
        "can be reached from other hosts: give a `token` beside it, or listen on 127.0.0.1",
    )


def _check_ports(web: Mapping, collector: Mapping, problems: Problems) -> None:
    unresolved = problems.is_unresolved(("web", "listen"))
    if not unresolved and listen.clash(_address(web, DEFAULT_WEB), _address(collector, DEFAULT_COLLECTOR)):
        problems.add(("collector", "listen"), "is where `web` listens already: give one of them another port")


def _address(section: Mapping, default: str) -> Address | None:
    try:
        return listen.parse(default if section.get("listen") is None else section["listen"])
    except ValueError:
        return None  # already reported


def _check_names(collector: Mapping, problems: Problems) -> None:
    """A name is the source of what comes in, and what came twice is known within its source."""
    keys, webhooks = collector.get("keys"), collector.get("webhooks")
    if isinstance(keys, dict) and isinstance(webhooks, dict):
        for name in keys.keys() & webhooks.keys():
            problems.add(("collector", "webhooks", name), "is the name of a write key too: give one another name")


def _check_keys(collector: Mapping, problems: Problems) -> None:
    keys = collector.get("keys")
    first: dict[str, Path] = {}
    for name, key in keys.items() if isinstance(keys, dict) else ():
        path: Path = ("collector", "keys", name)
        if isinstance(key, str) and not problems.is_unresolved(path):
            other = first.setdefault(key, path)
            if other != path:
                problems.add(path, f"is the same key as {problems.dotted(other)}: give each name a key of its own")
