"""One run: read a definition's answer, compare it with the snapshot, record what changed; never send anything.

=============  ==================================================================================
run            claim → read → stage → guard → record, in one transaction that a death leaves whole
reading        what of it is read: everybody's answer, or that of those for whom something can have changed
plan           the same comparison on tables of its own: what a sync would send
removal        definitions that left the file
=============  ==================================================================================
"""
