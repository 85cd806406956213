"""Send what destinations are owed. The only rooms that send anything to anybody.

=============  ==================================================================================
foreground     deliver from a command, until nothing is owed
outlet         a destination and how to treat it, and a dispatcher for one
dispatcher     one destination's loop: claim → send → settle
delivered      what such a loop did, counted while it goes on
tenure         who delivers to a destination: its lease, kept and trusted no longer than it lasts
sender         one claimed slot → what becomes of it (the outcome table)
turn           what became of a slot's events so far, one after another
settler        outcomes into the store, many in one transaction
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
