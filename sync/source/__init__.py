"""A customer's SQL database, opened read-only and read as a stream.

=============  ==================================================================================
connection     open it so that it cannot be written, and prove it; driver errors in our words
reader         a definition's answer, in chunks of canonical text
=============  ==================================================================================
"""
