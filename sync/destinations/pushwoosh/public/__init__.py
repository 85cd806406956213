"""Pushwoosh's documented API: ``transport: public-api``, under the same actions and mappings.

===========  ====================================================================
destination  the requests that an event becomes, and the reading of answers
methods      the body of each method, as the API has it
tags         a profile's attributes and system fields as tags
tag_types    the types of tags, and which of them can hold a value
listing      the tags that the account has, and what they lack for those that are needed
skipped      tags that do not exist: what to create
attributes   what an attribute of an event may be
devices      the numbers of platforms
moments      whole seconds, and the offset of a time zone at an instant
tokens       which token goes where: into the header, or into the body
links        which user each device was last linked to, as far as this process knows
hosts        where requests go: the configured host, or the one that answers ask for
bulk         many users' tags in one request, and what became of them
===========  ====================================================================
"""
