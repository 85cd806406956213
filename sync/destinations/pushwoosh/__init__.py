"""Pushwoosh, through the endpoint that Segment's own destination uses.

===========  ====================================================================
profile      an identify event as the body of ``track-user`` (pure)
answers      what Pushwoosh's answers mean: its bodies on top of the HTTP statuses
destination  the requests themselves: addresses, headers, encoding
===========  ====================================================================
"""
