"""The HTTP API that SDKs and webhooks post to: 200 once the events are durable, and not before.

=========  ========================================================================================
service    the socket: open, answer, close
door       who may stay connected
app        the addresses, and what is answered
entrance   one request: who sends, what, is there room, is it recorded
senders    write keys, webhooks and their signatures
body       what was posted: bounded, inflated, read as JSON
intake     posted items made into events; what is refused is counted
committer  one transaction for everybody who waits
room       how much may be on its way at once
answers    what is said to a client, in a form that SDKs read
remarks    what is said to the log, not too often
=========  ========================================================================================
"""

from sync.collect.committer import Committer
from sync.collect.entrance import Entrance
from sync.collect.senders import Senders
from sync.collect.service import CollectService

__all__ = ["CollectService", "Committer", "Entrance", "Senders"]
