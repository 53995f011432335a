"""What recurs: subscriptions and financings, with everything that was agreed frozen on them.

Invariants: one live subscription or financing for each person and plan, and one trial for each person and plan, by
claim rows; terms never change by a change of the catalog; the n-th period boundary is computed from the origin.
"""
