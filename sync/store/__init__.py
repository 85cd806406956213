"""The engine's own database, on SQLite or PostgreSQL: the only place (with ``source``) that knows SQL.

==============  ==================================================================================
engine          open it; ``read`` and ``write`` transactions; driver errors in our words
migrate         the schema, by Alembic
schema          the tables, for Core statements; ``instants`` is how time is stored
definitions     what was recorded of each definition; the project that owns the store
enrolments      which definition goes to which destination, and which backfill is unfinished
runs            one row per refresh: claim, heartbeat, fence, finish
recording       compare, owe, advance: the order of a recording's steps
watermarks      how far each definition's source was read
recordable      what those statements are told
slots           the outbox: claim, settle, rescue, un-park
bulk_claims     claim them; those who are owed the same stand together
bulks           slots that go together in one request, until it has ended
lanes           the log as a destination reads it: settle, hold, park; forwarding: since when, how far, by whom
outlook         whether there is anything to do there, cheaply
configurations  generations of configuration: which daemon is outdated
ticks           one row per instant at which a definition is due: add, claim, finish, rescue
leases          who delivers to a destination; ``holder`` tells the living from the dead
destinations    breaker and last error, for ``status``
alerts          how each alert stands, and what was told of it
watched         what alerts look at
upkeep          pruning, checkpoints, the oldest transaction
reports         what people ask: status, runs, members, one user, parked
measures        the numbers that are watched from outside
counter         the version that marks what is owed, and numbers events
events          the event log: record, find; its tables are in ``event_schema``
profiles        what identify events say of each user
suppressions    users of whom nothing is taken in and nothing is sent
sqlite/         statements whose plan is the design: staging, recording, slots
postgresql/     the same
==============  ==================================================================================
"""
