"""The composition root: configuration in, working parts out; and the daemon, which is made of small services.

=============  ==================================================================================
app            open everything a command or a daemon works with
cycle          one cycle by hand: refresh definitions, carry out removals, deliver what is owed
daemon         the daemon as a whole: start, signals, the file read anew, a stop in good order
crew           which services run for a configuration, and who nudges whom
service        the one shape of a service, and what happens when one fails
generation     which configuration this daemon has, and whether another one has a newer one
storetime      the time by the store's clock
ticker         schedules to ticks
worker         ticks to runs
delivery       holds a destination and delivers what comes to be owed there
leader         one daemon among several does what must be done once:
rescuer        … puts back what the dead had in hand
remover        … carries out removals
pruner         … throws old history away
alerts         … watches for changes of state, which notices and notifier tell
watch          health and metrics, which outlive a configuration
collector      the HTTP API for SDKs and webhooks, which does so too
=============  ==================================================================================
"""
