"""Send what destinations are owed. The only rooms that send anything to anybody.

=============  ==================================================================================
foreground     deliver or forward from a command, until nothing is owed
outlet         a destination and how to treat it, and a dispatcher for one
tenure         who delivers to a destination: its lease, kept and trusted no longer than it lasts
channel        the way to a destination, with its limits: shared by all that is sent there
reporter       tell how a destination does, to the log and to the store
order          what goes first where slots and events change the same profile

dispatcher     one destination's slots: claim → send → settle
claims         what is claimed of them, a little ahead of the senders
bulk           many slots in one request, where a destination takes that
served         the destination, and all that is used to send to it
passengers     who of them can go together, and as what
bulk_answers   how far such requests are, and the settling of those that have ended
delivered      what such a loop did, counted while it goes on
sender         one claimed slot → what becomes of it (the outcome table)
turn           what became of a slot's events so far, one after another
settler        outcomes into the store, many in one transaction

forwarder      one destination's events: read → plan → send → settle
forwarded      what it did, counted while it goes on
reader         what it asks the store
arrival        an event on its way, and what it became by the mappings
window         the part of the log that is in memory: lanes
holds          the events that wait, as far as memory needs them
waitlist       the same kept as the store has it
planner        which events go next, and with which others
courier        one run of events → what becomes of them (the outcome table, for events)
ledger         what became of runs into the store, many in one transaction

patience       wait for something, and no longer than that
persistence    ask the store again while it is away
garbage        look for cyclic garbage rarely while delivering
client         one HTTP exchange → an outcome, under a total deadline
transport      httpx's transport interface over aiohttp's connections
limits         rate, adaptive concurrency, pause
breaker        stop sending to a destination that is down or set up wrongly
destination    what delivery needs of a destination
ping           test a destination's credentials
=============  ==================================================================================
"""
