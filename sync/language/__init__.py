"""Segment's audience query language: from text to a typed tree, and from the tree to SQL.

=====  ==========================================================================
tree   what a query means: conditions, values, streams; frozen, and without SQL
=====  ==========================================================================
"""
