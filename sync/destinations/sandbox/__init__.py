"""The sandbox: a local stand-in for Pushwoosh that checks strictly, remembers everything and fails on demand.

::

    validation.py   what every request must look like; complaints are worded here and in the next two
    profiles.py     what a profile must look like, a deletion, and the test of the credentials
    events.py       what a batch of events must look like
    public.py       what requests of the documented API must look like, and what they mean
    doors.py        who may come in by the documented API, and how its answers look
    answering.py    what the documented API answers when nothing is wrong
    meaning.py      what a request means, whichever API it came by
    endpoints.py    Pushwoosh's endpoints by their paths
    bulk.py         bulk requests under way
    tags.py         the tags that the account has
    faults.py       which faults can be set: a frozen value, off by default
    injector.py     the faults at work: one request in, one answer out
    state.py        what was received: users, log, histories, complaints, counters
    sandbox.py      Sandbox: the above behind one lock; what tests and the demo hold in their hands
    app.py          Pushwoosh's endpoints on the wire, and the ways in which an answer can go wrong there
    inspection.py   /_sandbox/…: what it got, for people and for tests in another process
    serve.py        on a socket: serve() in an event loop, SandboxThread for synchronous callers
"""

from sync.destinations.sandbox.faults import Faults
from sync.destinations.sandbox.sandbox import Sandbox
from sync.destinations.sandbox.serve import SandboxThread, serve
from sync.destinations.sandbox.state import Complaint, Request

__all__ = ["Complaint", "Faults", "Request", "Sandbox", "SandboxThread", "serve"]
