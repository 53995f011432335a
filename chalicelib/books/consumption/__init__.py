"""Uses of owned units: consumption sessions.

A session takes its units when it is made, is PENDING until its eta and DONE after, with no further write. A PENDING
one can be cancelled, which gives its units back to the lots they came from. Invariant: one session for each person,
service and hash, for ever.
"""
