"""The composition root: configuration in, working parts out. (The daemon's services will live here.)

=============  ==================================================================================
app            open everything a command or a daemon works with
cycle          refresh definitions, carry out removals, deliver what is owed
=============  ==================================================================================
"""
