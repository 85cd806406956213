"""How far engage-sync is from the raw ceiling: what the same work costs when it is written by hand, in the same run.

=============  ==================================================================================
refresh        a refresh of a million members, against streaming, loading and comparing by hand
delivery       a backfill to a slow sink, against bare aiohttp
forward        forwarding a backlog of events to a slow sink, against bare aiohttp
memory         peak memory of the commands, at a million users and at a tenth of them
-------------  ----------------------------------------------------------------------------------
ceiling        the refresh by hand, with the drivers alone
people         the customer's database: who is asked about
places         a store and a source on each engine; PostgreSQL is started here
sink           an HTTP server that takes its time
measure        ours and the ceiling in turn, and their medians
table          what is printed
footprint      one command in a process of its own, and the most memory it ever had
=============  ==================================================================================

Absolute times say little: a benchmark alternates ours and the ceiling, and gives the ratio of their medians. Nothing
here is a test: a target that is missed is printed as ``MISS``, and the exit code stays 0.
"""
