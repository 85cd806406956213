"""A customer's SQL database, opened read-only and read as a stream.

=============  ==================================================================================
connection     open it so that it cannot be written, and prove it; driver errors in our words; kept (what stays open)
duckdb, mysql  the same for databases whose drivers are extras; derived (SQL that can be nothing but a query)
reader         a definition's answer, in chunks of canonical text
questions      a query as a statement; lenient (values that no driver can read end no run)
tables         which tables and columns there are, for the query language
names          how SQL wants those of tables and columns
warehouse      the same where Segment or RudderStack fills them
indexes        those that queries would use, and that are not there; indexed (what is there); lengths (what one can hold)
changes        what a query's source says of what has changed; inquiry (all that a run asks of it)
inspection     does a definition run, which columns does it give, which SQL is it, what is wanting
uniqueness     whether a user can stand in a table twice
location       where a membership table really is
feed           new rows of a table of events
scratch        profiles and events for a moment
sample         the demo's shop
=============  ==================================================================================
"""
