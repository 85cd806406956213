"""Pure values and rules: no I/O, no clock, no SQL.

=============  ==================================================================================
naming         from a definition's name to its key; reserved names
warehouse      how Segment and RudderStack name tables and columns
feed           what a customer's own tables mean
canonical      one text form for a user id and for a value, so that equal things compare equal
chunk          rows on their way from a source to staging, by columns
location       where a membership table really is
definition     an audience or computed trait as configured, with its fingerprint
watermark      how far a source was read, and when reading on from there is enough
guard          when exits are held
identify       the identify events that a user's owed values become
computation    the id under which a destination knows a definition
outcome        what one HTTP exchange meant
delivery       the numbers that rule delivery to one destination
retry          when to try again, when to give up
run            what a refresh did, in numbers
tick           a definition is due for an instant
alert          what is watched, when it counts as changed, what is said of it
retention      how long history is kept
received       what somebody sent as an event, made into one of ours
cleaning       JSON that no store and no reader chokes on
slot           a claimed slot: what is owed to one user at one destination
=============  ==================================================================================
"""
