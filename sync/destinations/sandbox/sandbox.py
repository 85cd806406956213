"""The sandbox itself, without a web server: takes requests, decides, remembers. Safe to use from any thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from sync.clock import Clock, SystemClock
from sync.destinations.sandbox.answering import regular, tags_in
from sync.destinations.sandbox.doors import PublicDoors, Refused, argument_error, flat
from sync.destinations.sandbox.endpoints import ENDPOINTS, Door, Endpoint
from sync.destinations.sandbox.faults import Faults, known_faults
from sync.destinations.sandbox.injector import ACCEPTED, Answer, Injector, failure, message
from sync.destinations.sandbox.meaning import NOTHING, Meaning
from sync.destinations.sandbox.public import fields_of
from sync.destinations.sandbox.state import Complaint, Request, State
from sync.destinations.sandbox.validation import Gate, InvalidRequest, JsonObject, check_content_type, parse_object

LOG_LIMIT = 10_000


@dataclass(slots=True)
class Visit:
    """One request from the arrival of its headers to its answer; ``state`` is what it is counted in, resets or not."""

    state: State
    seq: int
    path: str
    users: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer, when to give it (seconds after arrival), and what is still to be done at that moment."""

    answer: Answer
    latency: float
    settle: Callable[[], None] | None


@dataclass(frozen=True, slots=True)
class _Carrying:
    """How a request is carried out, and the answer to it where that is more than an empty one."""

    settle: Callable[[], None]
    answer: Answer | None = None


class Sandbox:
    """A stand-in for Pushwoosh: the endpoint for Segment, and the documented API.

    ``api_keys`` (of the documented API: device tokens), ``server_tokens`` and ``app_codes``: the only accepted ones
    (``None``: any that is not empty). ``tags``: the account's tags, with the numbers of their types (``None``: every one
    that is named); others are skipped. ``log_limit``: requests kept in the log. ``keep_bodies=False`` keeps neither bodies in the log nor histories. ``on_complaint`` is called
    with each complaint, in the thread that serves.
    """

    def __init__(
        self,
        *,
        api_keys: Iterable[str] | None = None,
        app_codes: Iterable[str] | None = None,
        server_tokens: Iterable[str] | None = None,
        tags: Mapping[str, int] | None = None,
        faults: Faults | None = None,
        log_limit: int = LOG_LIMIT,
        keep_bodies: bool = True,
        seed: int = 0,
        clock: Clock | None = None,
        on_complaint: Callable[[Complaint], None] | None = None,
    ) -> None:
        self._gate = Gate(_set(api_keys), _set(app_codes))
        self._public = PublicDoors(self._gate.api_keys, _set(server_tokens), self._gate.app_codes)
        self._tags = tags
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._log_limit = log_limit
        self._keep_bodies = keep_bodies
        self._on_complaint = on_complaint
        self._injector = Injector(self._clock, seed)
        self._injector.set(faults or Faults())
        self._state = State(log_limit, keep_bodies, tags)

    # What is read

    @property
    def requests(self) -> int:
        """Requests that arrived, of any kind."""
        return self._state.requests

    @property
    def accepted(self) -> int:
        """Profile requests that were applied, answered or not."""
        return self._state.accepted

    @property
    def complaints(self) -> list[Complaint]:
        """The newest 1,000 complaints, oldest first; empty when every request was right."""
        with self._lock:
            return list(self._state.complaints)

    @property
    def log(self) -> list[Request]:
        """The newest requests, oldest first."""
        with self._lock:
            return list(self._state.log)

    def user(self, user_id: str) -> JsonObject | None:
        """What the user has now, ``{"attributes": {…}, "email": …}``; ``None`` when nothing was ever accepted."""
        with self._lock:
            user = self._state.users.get(user_id)
            return None if user is None else user.snapshot()

    def users(self, limit: int | None = None) -> dict[str, JsonObject]:
        """A copy of what every user has now, in order of first acceptance; at most ``limit`` of them."""
        with self._lock:
            return {user_id: user.snapshot() for user_id, user in islice(self._state.users.items(), limit)}

    @property
    def user_count(self) -> int:
        """Users about whom something was accepted."""
        return len(self._state.users)

    def accepted_count(self, user_id: str) -> int:
        """Profile requests about one user that were applied."""
        with self._lock:
            user = self._state.users.get(user_id)
            return 0 if user is None else user.accepted

    def sent_counts(self) -> Counter[str]:
        """User id → valid profile requests that arrived, whatever they were answered."""
        with self._lock:
            return Counter(self._state.sent)

    def history(self, user_id: str) -> list[Request]:
        """The user's newest 100 valid requests in order of arrival, whatever they were answered."""
        with self._lock:
            return self._state.history(user_id)

    def values(self, user_id: str, attribute: str) -> list[object]:
        """The values of one attribute in the user's ``history``, in order of arrival; requests without it left out."""
        attributes = [request.body["attributes"] for request in self.history(user_id) if request.body]
        return [sent[attribute] for sent in attributes if isinstance(sent, dict) and attribute in sent]

    def events(self, user_id: str | None = None) -> list[JsonObject]:
        """The newest accepted events as they were sent, oldest first; the newest 100 of one user if one is given."""
        with self._lock:
            return self._state.events(user_id)

    def stats(self) -> dict[str, object]:
        """The counters, as ``GET /_sandbox/stats`` shows them."""
        with self._lock:
            return self._state.stats()

    # What is set

    @property
    def faults(self) -> Faults:
        """The faults as they stand; counts show what is left."""
        return self._injector.faults

    def set_faults(self, **changes: object) -> None:
        """Change these faults and leave the others; raises ``ValueError`` for an unknown name or a bad value."""
        with self._lock:
            self._injector.set(replace(self._injector.faults, **known_faults(changes)))

    def replace_faults(self, faults: Faults | None = None) -> None:
        """Have exactly these faults; none at all by default."""
        with self._lock:
            self._injector.set(faults or Faults())

    def reset(self) -> None:
        """Forget everything received; the faults stay. What is still under way is not counted any more."""
        with self._lock:
            self._state = State(self._log_limit, self._keep_bodies, self._tags)

    # What a server calls

    def enter(self, path: str) -> Visit:
        """A request has begun; ``leave`` must follow, whatever happens."""
        with self._lock:
            state = self._state
            state.requests += 1
            state.crowd.enter()
            return Visit(state, state.requests, path)

    def leave(self, visit: Visit) -> None:
        """The request is over: answered, or given up by its client."""
        with self._lock:
            visit.state.crowd.leave(visit.users)

    def receive(self, visit: Visit, headers: Mapping[str, str], raw: bytes) -> Reply:
        """Check, apply and record a request to one of ``ENDPOINTS``; never raises for what a client sent."""
        endpoint = ENDPOINTS[visit.path]
        body: JsonObject | None = None
        problem: Answer | None = None
        try:
            body = self._checked(endpoint, headers, raw)
        except Refused as refused:
            problem = refused.answer
            self._complain(visit, problem, str(refused))
        return self._decide(visit, endpoint, body, problem)

    def ask(self, visit: Visit, headers: Mapping[str, str], request_id: str, *, detailed: bool) -> Reply:
        """Say how far a bulk request is."""
        if not self._public.may_ask(headers):
            return self.refuse(visit, 401, "unauthorized")
        with self._lock:
            job = visit.state.jobs.known.get(request_id)
        if job is None:
            return self.refuse(visit, 404, "not found")
        with self._lock:
            answer = self._injector.instead((), lambda text: message(400, text)) or self._injector.afterwards()
            if answer is ACCEPTED:
                answer = flat(job.answer(detailed=detailed))
            self._record(visit, answer, None, NOTHING, applied=answer.applied)
            return Reply(answer, self._injector.faults.latency, None)

    def refuse(self, visit: Visit, status: int, complaint: str) -> Reply:
        """Answer ``status`` to a request that no endpoint takes, and complain."""
        answer = message(status, complaint)
        self._complain(visit, answer, complaint)
        with self._lock:
            self._record(visit, answer, None, NOTHING, applied=False)
        return Reply(answer, 0.0, None)

    def _complain(self, visit: Visit, answer: Answer, text: str) -> None:
        complaint = Complaint(visit.seq, self._clock.now(), visit.path, answer.status or 0, text)
        with self._lock:
            visit.state.complain(complaint)
        if self._on_complaint is not None:
            self._on_complaint(complaint)

    def _checked(self, endpoint: Endpoint, headers: Mapping[str, str], raw: bytes) -> JsonObject:
        """The valid body, without the envelope where there is one; raises `Refused`."""
        if endpoint.door is not Door.INTEGRATION:
            argument_status = self._injector.faults.argument_status
            return self._public.enter(endpoint, headers, raw, argument_status=argument_status)
        if refusal := self._gate.refusal(headers):
            raise Refused(message(*refusal), refusal[1])
        try:
            check_content_type(headers)
            body = parse_object(raw)
            endpoint.check(body, headers["X-PW-Appcode"].strip())
        except InvalidRequest as error:
            raise Refused(failure(endpoint.action, error.answer), str(error)) from None
        return body

    def _decide(self, visit: Visit, endpoint: Endpoint, body: JsonObject | None, problem: Answer | None) -> Reply:
        with self._lock:
            meaning = NOTHING if body is None else endpoint.means(body)
            visit.users = meaning.users
            visit.state.crowd.recognise(visit.users)
            faults = self._injector.faults
            # A bulk request is taken whole, and fails for single users later.
            about = () if endpoint.door is Door.AUDIENCE else visit.users
            answer = self._injector.instead(about, self._refusal(endpoint)) or problem or self._injector.afterwards()
            applied = body is not None and answer.applied
            if body is None or not applied:
                self._record(visit, answer, body, meaning, applied=False)
                return Reply(answer, faults.latency, None)
            carrying = self._carry_out(visit, endpoint, body, meaning)
            if answer is ACCEPTED or answer.fault == "skipped":
                answer = carrying.answer or answer
            self._record(visit, answer, body, meaning, applied=True)
            if faults.apply_late and faults.latency:
                return Reply(answer, faults.latency, self._locked(carrying.settle))
            carrying.settle()
            return Reply(answer, faults.latency, None)

    def _refusal(self, endpoint: Endpoint) -> Callable[[str], Answer]:
        if endpoint.door is Door.INTEGRATION:
            return lambda text: failure(endpoint.action, text)
        return lambda text: argument_error(endpoint, text, self._injector.faults.argument_status)

    def _carry_out(self, visit: Visit, endpoint: Endpoint, body: JsonObject, meaning: Meaning) -> _Carrying:
        """What is to be done about a request that counts as accepted, and the regular answer of the documented API."""
        state, faults = visit.state, self._injector.faults
        if endpoint.door is Door.INTEGRATION:
            return _Carrying(lambda: state.apply(meaning, faults.skipped))
        named = tags_in(endpoint, body)
        if state.tags.takes_any or body.get("create_missing_tags") is True:
            state.tags.create(named)
        skipped = (faults.skipped & named.keys()) | state.tags.unknown(named)
        job, apart = None, frozenset[str]()
        if endpoint.door is Door.AUDIENCE:
            failed = faults.fail_users
            apart = frozenset(meaning.users) if faults.bulk_fails else failed
            outcome = "Failed" if faults.bulk_fails else "Completed"
            job = state.jobs.open(meaning.users, failed, polls=faults.bulk_polls, outcome=outcome)
        answer = regular(endpoint, body, state, skipped=skipped, job=job, faults=faults)
        left_out = skipped | fields_of(skipped)
        return _Carrying(lambda: state.apply(meaning, left_out, apart=apart), answer)

    def _locked(self, settle: Callable[[], None]) -> Callable[[], None]:
        def settle_safely() -> None:
            with self._lock:
                settle()

        return settle_safely

    def _record(
        self, visit: Visit, answer: Answer, body: JsonObject | None, meaning: Meaning, *, applied: bool
    ) -> None:
        now = self._clock.now()
        user_id = visit.users[0] if len(visit.users) == 1 else None
        request = Request(visit.seq, now, visit.path, user_id, answer.status, body, answer.fault)
        visit.state.record(request, meaning.profiles, applied=applied)


def _set(given: Iterable[str] | None) -> frozenset[str] | None:
    return None if given is None else frozenset(given)
