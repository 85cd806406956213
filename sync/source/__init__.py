"""A customer's SQL database, opened read-only and read as a stream.

=============  ==================================================================================
connection     open it so that it cannot be written, and prove it; driver errors in our words
reader         a definition's answer, in chunks of canonical text
changes        what a query's source says of what has changed
inspection     does a definition run, which columns does it give, which SQL is it
uniqueness     whether a user can stand in a table twice
location       where a membership table really is
sample         the demo's shop
=============  ==================================================================================
"""
