"""Pushwoosh, through the endpoint that Segment's own destination uses, or through its documented API.

===========  ====================================================================
actions/     what can be done there: fields, defaults and bodies, a file for each
route        a mapping, and where its requests go
batching     several events as few requests, in order for each user
encoding     bodies as JSON
answers      what Pushwoosh's answers mean: its bodies on top of the HTTP statuses
destination  the requests themselves: addresses, headers, mappings at work
public/      the documented API
transport    which of the two a destination speaks
===========  ====================================================================
"""
