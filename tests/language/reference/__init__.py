"""The query language once more, in plain Python: what the compiled SQL is compared with, sharing nothing with it.

=================  ==========================================================================
``tree``           what a definition means, apart from how it is spelled
``values``         missing, equal, less, dates: the rules for dirty data
``evaluate``       the answer, user by user
``reading``        from text to tree, for what is written by hand
``spelling``       from tree to one of the many texts that mean it
``world``          random dirty data
``definitions``    random definitions over such data
``cases``          both together, with the answer
=================  ==========================================================================

A differential test asks::

    for case in random_cases(Random(seed), 20):       # 20 definitions over the same data; random_case(random) for one
        load(case.profiles, case.events)              # the shapes of `query eval`; events in the order of their cursor
        got = compiled(case.text, case.as_of, {key: other.text for key, other in case.others.items()})
        assert same(got, case.expected), case.text

``case.expected`` has the shape of `query eval`. It is ``evaluate(case.definition, Data(case.profiles, case.events),
case.as_of, {key: other.definition for key, other in case.others.items()})``, which can be asked again with less data when
a case is to be made smaller. ``same`` (in ``cases``) allows numbers that were divided to differ in their last digits.

Where the rules were silent, the reference took a side. Each is one line to change:

- who is known (``known_users``): a user whose only events are after ``as_of``, or without a time, is not
- relative dates (``_OF_SPANS``): both ends of each range are in, as Segment says of them
- ``between(parent: N, M)``: more than N after the parent event and at most M (``passes``)
- ``unique(…).count()`` of nothing is 0 (``_REDUCE``)
- lists and objects (``values``): set, but equal to nothing; no reducer but ``count`` sees them; dots do not step into lists
- booleans have no order; a boolean is written ``true`` or ``false``, bare or in ``literal(…)``
- several sorts in one ``mode`` or ``unique`` (``alphabetical``): sorted as written, ``5`` before ``"5"``
- the source of an event is its ``projectId``, as Segment's own payloads have it; one without is never excluded
- the cursor is the order in which events are given
"""
