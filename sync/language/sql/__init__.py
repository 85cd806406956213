"""From a tree to one SELECT over a source's tables, for each kind of database.

===========  ==========================================================================
compiler     the statement: whose answer is asked for, and the answer
changes      the same for those alone whose answer can have changed since the last run
edges        what of a query moves with time
layout       where profiles and events stand, as whoever opened the source has found it
unknown      of whom something must be known for a condition to hold: nobody else is read
users        a set of users, and what is known of each
reductions   streams that become one value, for all users or for one event of a funnel
branches     where the events of one name stand
people       one row for each person
access       by which columns rows are looked for
flattened    columns as Segment and RudderStack name them
conditions   conditions, two-valued
values       a value whose type is known only when it is read
engine       what each database says in its own way: sqlite (isotext), postgresql, duckdb, mysql
isodates     what a date looks like
lines        a statement for people
===========  ==========================================================================

Two rules hold everywhere. No statement ends in an error because of what the data is: nothing is cast before it is known to
be castable. And no condition is the SQL ``NOT`` of another: a comparison with what is missing is NULL in SQL, and false here.
"""

from sync.language.sql.changes import Changes, Watched, compile_changes, in_full, watched
from sync.language.sql.compiler import Compiled, as_it_is, compile_query, without_noise

__all__ = [
    "Changes",
    "Compiled",
    "Watched",
    "as_it_is",
    "compile_changes",
    "compile_query",
    "in_full",
    "watched",
    "without_noise",
]
