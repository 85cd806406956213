"""Health and metrics of a daemon, over HTTP, for whoever watches it.

==========  ========================================================================================
service     the socket: open, answer, close
app         the pages, and the token that guards them
readiness   ``/readyz``: can this daemon work?
metrics     ``/metrics``: the store is read in a thread, and at most every few seconds
catalogue   every metric: its name, labels and meaning
collector   what was read and counted, as Prometheus's families
look        one question to the store at a time, for all who ask
vitals      what the daemon says of itself
state       everything that the pages are made from
==========  ========================================================================================
"""

from sync.web.service import WebService
from sync.web.state import WebState
from sync.web.vitals import Vitals

__all__ = ["Vitals", "WebService", "WebState"]
