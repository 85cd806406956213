"""Requests to Pushwoosh's documented API, and the reading of its answers.

The same mappings as for the integration endpoint; what an event becomes is said in ``docs/pushwoosh.md``. One profile may
become several requests: the device is linked to its user first, then tags are set.

What is known of links and hosts is this process's own, and is learned from answers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import httpx
import orjson

from sync import __version__
from sync.clock import Clock, SystemClock
from sync.destinations.bulk import BulkUser
from sync.destinations.mapped import ACCEPTED, ANSWER_BYTES, BODY, ONCE, READ, Batch, Batched, Mapped, Part, Prepared
from sync.destinations.pushwoosh import answers
from sync.destinations.pushwoosh.actions import presets, track_event, update_user_profile
from sync.destinations.pushwoosh.encoding import encoded
from sync.destinations.pushwoosh.public import listing, methods, moments
from sync.destinations.pushwoosh.public.attributes import event_attributes
from sync.destinations.pushwoosh.public.bulk import Bulk
from sync.destinations.pushwoosh.public.devices import device_type
from sync.destinations.pushwoosh.public.hosts import Hosts
from sync.destinations.pushwoosh.public.links import Links
from sync.destinations.pushwoosh.public.methods import JsonObject, Methods
from sync.destinations.pushwoosh.public.skipped import SkippedTags
from sync.destinations.pushwoosh.public.tags import MOST_TAGS, device_tags, portions, user_tags
from sync.destinations.pushwoosh.public.tokens import TokenKind, Tokens
from sync.destinations.pushwoosh.route import label_of
from sync.errors import ConfigurationError, InvalidEvent
from sync.mapping import mapping
from sync.model.outcome import Outcome, Verdict

DEFAULT_BASE_URL = "https://api.pushwoosh.com"

_HEADER_TEXT = re.compile(r"[\x20-\x7e]*")
_NOBODY_THERE = "engage-sync"
"""The device that a test of the credentials asks for."""

_Call = tuple[str, JsonObject]
"""A method's path and body."""


class PublicPushwoosh:
    """One configured Pushwoosh application. ``base_url`` is scheme and host, without the path.

    ``api_key`` is a token of the kind ``token``; ``server_token`` may stand beside one for devices, and opens what needs
    it. ``mappings`` are the enabled ones, in order; the presets when left out.

    Raises :class:`ConfigurationError` when a token cannot stand in a header.
    """

    def __init__(
        self,
        *,
        name: str,
        api_key: str,
        app_code: str,
        base_url: str = DEFAULT_BASE_URL,
        token: TokenKind = TokenKind.DEVICE,
        server_token: str | None = None,
        mappings: Sequence[mapping.Mapping] | None = None,
        clock: Clock | None = None,
    ) -> None:
        for setting, value in (("API key", api_key), ("application code", app_code), ("server token", server_token)):
            if value is not None and not _HEADER_TEXT.fullmatch(value):
                problem = f"destination {name}: the {setting} holds a character that cannot stand in an HTTP header"
                raise ConfigurationError([problem])
        self.name = name
        self._clock = clock or SystemClock()
        self._app_code = app_code
        self._tokens = Tokens.given(api_key, token, server_token)
        self._methods = Methods(app_code, self._tokens.in_body)
        self._hosts = Hosts(base_url, self._clock)
        self._links = Links(self._clock)
        self._skipped = SkippedTags(self._tokens.all())
        chosen = presets() if mappings is None else mappings
        self._mappings = tuple((each, label_of(each, chosen)) for each in chosen)
        self._treats_alike = all(map(_treats_alike, chosen))
        self._addresses: dict[tuple[httpx.URL, str], tuple[httpx.URL, httpx.Headers]] = {}

    def requests_for(self, event: dict[str, object]) -> Mapped:
        """The requests that carry ``event``, in order of the mappings, and why others cannot."""
        prepared = self.prepare(event)
        return Mapped([self.request_of([part]) for part in prepared.parts], list(prepared.refusals))

    def batches_for(self, events: Sequence[dict[str, object]], *, where_enabled: bool = False) -> Batched:  # noqa: ARG002 - no method takes several
        """The requests of every event, one after another: this API has none that takes several events."""
        found = Batched()
        for index, event in enumerate(events):
            prepared = self.prepare(event)
            found.batches.extend(Batch(self.request_of([part]), (index,)) for part in prepared.parts)
            found.refusals.extend((index, refusal) for refusal in prepared.refusals)
        return found

    def prepare(self, event: dict[str, object]) -> Prepared:
        """What ``event`` becomes by every mapping that takes it: requests, none of which is shared with other events."""
        parts: list[Part] = []
        refusals: list[str] = []
        for chosen, label in self._mappings:
            if not chosen.matches(event):
                continue
            try:
                parts.extend([self._part(path, body) for path, body in self._calls(chosen, event)])
            except InvalidEvent as error:
                refusals.append(f"{label}{error}")
        return Prepared(tuple(parts), tuple(refusals))

    def request_of(self, parts: Sequence[Part]) -> httpx.Request:
        """The request of one part; parts never join here."""
        (part,) = parts
        request = self._post(part.to, part.text, once=part.once)
        if part.to == methods.REGISTER_USER:
            hwid = orjson.loads(part.text)["request"]["hwid"]
            request.extensions[ACCEPTED] = lambda: self._links.learn(hwid, part.text)
        elif part.to == methods.SET_TAGS:
            request.extensions[READ] = partial(self._read_tags_answer, part.text)
        return request

    @property
    def bulk(self) -> Bulk | None:
        """Tags of many users in one request; ``None`` without a server token, which that needs."""
        if self._tokens.server is None:
            return None
        url = self._hosts.configured.copy_with(raw_path=methods.BULK_SET_TAGS.encode("ascii"))
        headers = self._headers(url, self._tokens.server)
        return Bulk(url, self._app_code, self._tokens.server, headers, self._tokens.all())

    @property
    def treats_alike(self) -> bool:
        """Whether no mapping tells users apart, other than by the ``userId`` as the external id."""
        return self._treats_alike

    def bulk_user(self, event: dict[str, object]) -> BulkUser | None:
        """The event as one user of a bulk request; ``None`` when it is anything else than tags of one user."""
        found: BulkUser | None = None
        for chosen, _ in self._mappings:
            if not chosen.matches(event):
                continue
            if found is not None or chosen.action.slug != update_user_profile.ACTION.slug:
                return None
            try:
                found = _tags_alone(chosen.payload(event))
            except InvalidEvent:
                return None
            if found is None:
                return None
        return found

    def ping(self) -> httpx.Request:
        """A look at the tags of a device that does not exist: it tests token and application, and changes nothing."""
        return self._post(methods.GET_TAGS, encoded(self._methods.get_tags(_NOBODY_THERE)))

    def list_tags(self) -> httpx.Request | None:
        """Ask for the account's tags; ``None`` without a server token."""
        if self._tokens.server is None:
            return None
        url = self._hosts.current.copy_with(raw_path=methods.LIST_TAGS.encode("ascii"))
        request = _posted(url, self._headers(url, None), encoded(methods.list_tags(self._tokens.server)))
        request.extensions[ANSWER_BYTES] = listing.MOST_BYTES
        return request

    def tags_for(self, event: dict[str, object]) -> JsonObject:
        """The tags that ``event`` sets, of its user and of the device."""
        parts = [each for each in self.prepare(event).parts if each.to == methods.SET_TAGS]
        return {name: value for part in parts for name, value in orjson.loads(part.text)["request"]["tags"].items()}

    def delete_user(self, user_id: str) -> httpx.Request:
        """Delete a user with all devices; carried out some time after it was accepted."""
        text = encoded(methods.delete_user(self._app_code, user_id))
        url = self._hosts.configured.copy_with(raw_path=methods.DELETE_USER.encode("ascii"))
        request = _posted(url, self._headers(url, self._tokens.in_header), text)
        request.extensions[READ] = self._read_deletion
        return request

    def read_answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What an answer means; a host that it asks for is used from the next request on."""
        secrets = self._tokens.all()
        outcome = answers.read_answer(status, headers, body, now=self._clock.now(), secrets=secrets)
        if outcome.verdict is not Verdict.ACCEPTED or b'"base_url"' not in body:
            return outcome
        told = answers.base_url(body)
        if told is None or self._hosts.move(told):
            return outcome
        return replace(outcome, warnings=(*outcome.warnings, answers.not_followed(told, secrets)))

    def _read_tags_answer(self, sent: bytes, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        """What the answer to a ``setTags`` means: tags that were skipped are told with what to create."""
        outcome = self.read_answer(status, headers, body)
        if not outcome.warnings:
            return outcome
        return replace(outcome, warnings=self._skipped.explained(outcome.warnings, body, sent))

    def _read_deletion(self, status: int, headers: Mapping[str, str], body: bytes) -> Outcome:
        return answers.read_deletion(self.read_answer(status, headers, body), body)

    def _calls(self, chosen: mapping.Mapping, event: dict[str, object]) -> Iterator[_Call]:
        """What one mapping makes of an event; raises `InvalidEvent`."""
        payload = chosen.payload(event)
        if chosen.action.slug == update_user_profile.ACTION.slug:
            yield from self._profile(payload)
        elif chosen.action.slug == track_event.ACTION.slug:
            yield methods.POST_EVENT, self._event(payload, event)

    def _profile(self, payload: JsonObject) -> Iterator[_Call]:
        user_id, hwid = _text(payload, "external_id"), _text(payload, "device_id")
        if user_id is None and hwid is None:
            raise InvalidEvent("It identifies nobody: it has neither an external_id nor a device_id.")
        of_device, of_user = device_tags(payload), user_tags(payload)
        if hwid is None or user_id is None:
            of_user, of_device = {**of_device, **of_user}, {}
        elif not self._is_linked(link := self._link(payload, user_id, hwid), hwid):
            yield methods.REGISTER_USER, link
        for tags in portions(of_device):
            yield methods.SET_TAGS, self._methods.set_tags(tags, hwid=hwid)
        for tags in portions(of_user):
            yield methods.SET_TAGS, self._methods.set_tags(tags, user_id=user_id, hwid=None if user_id else hwid)

    def _link(self, payload: JsonObject, user_id: str, hwid: str) -> JsonObject:
        return self._methods.register_user(
            hwid=hwid,
            user_id=user_id,
            tz_offset=moments.zone_offset(payload.get("timezone"), self._clock.now()),
            device_type=device_type(payload.get("device_platform"), payload.get("user_agent")),
        )

    def _is_linked(self, link: JsonObject, hwid: str) -> bool:
        return self._links.holds(hwid, encoded(link))

    def _event(self, payload: JsonObject, event: dict[str, object]) -> JsonObject:
        happened = moments.instant(payload["timestamp"])
        utc = moments.seconds(happened)
        context = event.get("context")
        context = context if isinstance(context, dict) else {}
        offset = moments.zone_offset(context.get("timezone"), happened)
        if offset is None:
            offset = moments.written_offset(happened)
        return self._methods.post_event(
            str(payload["name"]),
            hwid=_text(payload, "device_id"),
            user_id=_text(payload, "external_id"),
            attributes=event_attributes(payload.get("properties")),
            utc=utc,
            local=None if offset is None else utc + offset,
            device_type=device_type(payload.get("device_platform"), context.get("userAgent")),
        )

    def _part(self, path: str, body: JsonObject) -> Part:
        return Part(path, encoded(body), join=False, once=path == methods.POST_EVENT)

    def _post(self, path: str, text: bytes, *, once: bool = False) -> httpx.Request:
        host = self._hosts.current
        found = self._addresses.get((host, path))
        if found is None:
            url = host.copy_with(raw_path=path.encode("ascii"))
            found = self._addresses[host, path] = (url, self._headers(url, self._tokens.device))
        return _posted(*found, text, once=once)

    def _headers(self, url: httpx.URL, token: str | None) -> httpx.Headers:
        headers = [
            (b"Host", url.netloc),
            (b"Content-Type", b"application/json"),
            (b"User-Agent", b"engage-sync/" + __version__.encode("ascii")),
        ]
        if token is not None:
            headers.insert(1, (b"Authorization", b"Token " + token.encode("ascii")))
        return httpx.Headers(headers)


def _posted(url: httpx.URL, headers: httpx.Headers, text: bytes, *, once: bool = False) -> httpx.Request:
    # As in the other destination: with `stream` httpx leaves the headers alone.
    extensions = {BODY: text, ONCE: once}
    return httpx.Request("POST", url, headers=headers, stream=httpx.ByteStream(text), extensions=extensions)


def _text(payload: Mapping[str, object], field: str) -> str | None:
    """A field's text; an empty one identifies nobody."""
    found = payload.get(field)
    return found if isinstance(found, str) and found else None


def _treats_alike(chosen: mapping.Mapping) -> bool:
    if chosen.action.slug != update_user_profile.ACTION.slug:
        return not chosen.trigger_reads_user
    return chosen.user_fields == frozenset({"external_id"})


def _tags_alone(profile: JsonObject) -> BulkUser | None:
    """A profile that becomes one ``setTags`` by user id, and nothing else."""
    user_id = _text(profile, "external_id")
    if user_id is None or _text(profile, "device_id") is not None:
        return None
    tags = user_tags(profile)
    if of_device := device_tags(profile):
        tags = {**of_device, **tags}
    return BulkUser(user_id, tags) if 0 < len(tags) <= MOST_TAGS else None
