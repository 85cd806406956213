"""The sandbox itself, without a web server: takes requests, decides, remembers. Safe to use from any thread."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice

from sync.clock import Clock, SystemClock
from sync.destinations.sandbox.endpoints import ENDPOINTS, About, Endpoint
from sync.destinations.sandbox.events import events_in
from sync.destinations.sandbox.faults import Faults, known_faults
from sync.destinations.sandbox.injector import Answer, Injector, failure, message
from sync.destinations.sandbox.state import Complaint, Request, State
from sync.destinations.sandbox.validation import Gate, InvalidRequest, JsonObject, check_content_type

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


class Sandbox:
    """A stand-in for Pushwoosh's endpoint for profiles and events.

    ``api_keys`` and ``app_codes``: the only accepted ones (``None``: any that is not empty). ``log_limit``: requests
    kept in the log. ``keep_bodies=False`` keeps neither bodies in the log nor histories. ``on_complaint`` is called
    with each complaint, in the thread that serves.
    """

    def __init__(
        self,
        *,
        api_keys: Iterable[str] | None = None,
        app_codes: Iterable[str] | None = None,
        faults: Faults | None = None,
        log_limit: int = LOG_LIMIT,
        keep_bodies: bool = True,
        seed: int = 0,
        clock: Clock | None = None,
        on_complaint: Callable[[Complaint], None] | None = None,
    ) -> None:
        self._gate = Gate(
            None if api_keys is None else frozenset(api_keys), None if app_codes is None else frozenset(app_codes)
        )
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        self._log_limit = log_limit
        self._keep_bodies = keep_bodies
        self._on_complaint = on_complaint
        self._injector = Injector(self._clock, seed)
        self._injector.set(faults or Faults())
        self._state = State(log_limit, keep_bodies)

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
            self._state = State(self._log_limit, self._keep_bodies)

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
        if refusal := self._gate.refusal(headers):
            problem = message(*refusal)
            complaint = refusal[1]
        else:
            try:
                check_content_type(headers)
                body = endpoint.parse(raw, headers["X-PW-Appcode"].strip())
            except InvalidRequest as error:
                complaint = str(error)
                problem = failure(endpoint.action, error.answer)
        if problem is not None:
            self._complain(visit, problem, complaint)
        return self._decide(visit, endpoint, body, problem)

    def refuse(self, visit: Visit, status: int, complaint: str) -> Reply:
        """Answer ``status`` to a request that no endpoint takes, and complain."""
        answer = message(status, complaint)
        self._complain(visit, answer, complaint)
        with self._lock:
            self._record(visit, answer, None, applied=False)
        return Reply(answer, 0.0, None)

    def _complain(self, visit: Visit, answer: Answer, text: str) -> None:
        complaint = Complaint(visit.seq, self._clock.now(), visit.path, answer.status or 0, text)
        with self._lock:
            visit.state.complain(complaint)
        if self._on_complaint is not None:
            self._on_complaint(complaint)

    def _decide(self, visit: Visit, endpoint: Endpoint, body: JsonObject | None, problem: Answer | None) -> Reply:
        with self._lock:
            if body is not None:
                visit.users = endpoint.users(body)
                visit.state.crowd.recognise(visit.users)
            faults = self._injector.faults
            answer = self._injector.instead(visit.users, endpoint.action) or problem or self._injector.afterwards()
            applied = body is not None and answer.applied
            self._record(visit, answer, body, applied=applied)
            if body is None or not applied:
                return Reply(answer, faults.latency, None)

            def settle() -> None:
                _apply(visit, endpoint.about, body, faults.skipped)

            if faults.apply_late and faults.latency:
                return Reply(answer, faults.latency, self._locked(settle))
            settle()
            return Reply(answer, faults.latency, None)

    def _locked(self, settle: Callable[[], None]) -> Callable[[], None]:
        def settle_safely() -> None:
            with self._lock:
                settle()

        return settle_safely

    def _record(self, visit: Visit, answer: Answer, body: JsonObject | None, *, applied: bool) -> None:
        now = self._clock.now()
        user_id = visit.users[0] if len(visit.users) == 1 else None
        request = Request(visit.seq, now, visit.path, user_id, answer.status, body, answer.fault)
        visit.state.record(request, applied=applied)


def _apply(visit: Visit, about: About, body: JsonObject, skipped: frozenset[str]) -> None:
    match about:
        case About.PROFILE:
            visit.state.apply(visit.users[0] if visit.users else None, body, skipped)
        case About.EVENTS:
            visit.state.happened(events_in(body))
        case About.CREDENTIALS:
            visit.state.pings += 1
