"""Plans with room for so many customers: how many places are taken or kept, and who waits for one (D33, D83).

Invariant: never more places are taken by purchases than there are. `used` goes up with a purchase, in its transaction,
and comes down by counting who has the plan; a count that is a little old never lowers what was taken since.
"""
