"""What must hold between a destination's transport, its tokens and its address; and what `privacy` needs to be of use.

Works on the plain data, like ``references``; whatever has the wrong type is passed over here, the models have reported it.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from sync.config.destinations import PushwooshSection
from sync.config.problems import Problems
from sync.config.references import mapping
from sync.destinations.pushwoosh.transport import Transport


def base_url(section: PushwooshSection) -> str:
    """The given address, else the one of the transport."""
    return section.base_url if "base_url" in section.model_fields_set else Transport(section.transport).base_url


def check(document: dict[str, object], problems: Problems) -> None:
    """Report tokens that nothing would use, addresses that would lose their path, and deletions that nobody can ask for."""
    _check_destinations(document, problems)
    privacy, collector = mapping(document.get("privacy")), mapping(document.get("collector"))
    webhooks = mapping(collector.get("webhooks")).values()
    if privacy.get("delete_events") is True and not any(mapping(each).get("secret") for each in webhooks):
        problems.add(
            ("privacy", "delete_events"),
            "needs a webhook with a `secret` (`collector.webhooks`): a deletion is taken from nobody who does not sign it",
        )


def _check_destinations(document: dict[str, object], problems: Problems) -> None:
    for name, raw in mapping(document.get("destinations")).items():
        destination = mapping(raw)
        path = ("destinations", name)
        if destination.get("transport") == Transport.PUBLIC and _has_path(destination.get("base_url")):
            problems.add((*path, "base_url"), "must be without a path: the methods of `public-api` have theirs")
        if destination.get("transport", Transport.SEGMENT) == Transport.SEGMENT:
            for key in ("token", "server_token"):
                if destination.get(key):
                    problems.add((*path, key), "is for `transport: public-api`: say so, or take it out")
        elif destination.get("server_token") and destination.get("token") == "server":
            problems.add(
                (*path, "server_token"), "is a second one, for `api_key` is a server token: keep one of the two"
            )


def _has_path(address: object) -> bool:
    try:
        return isinstance(address, str) and urlsplit(address).path.strip("/") != ""
    except ValueError:
        return False
