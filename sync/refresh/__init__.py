"""One run: read a definition's answer, compare it with the snapshot, record what changed; never send anything.

=============  ==================================================================================
run            claim → read → stage → guard → record, in one transaction that a death leaves whole
plan           the same comparison on tables of its own: what a sync would send
removal        definitions that left the file
=============  ==================================================================================
"""
