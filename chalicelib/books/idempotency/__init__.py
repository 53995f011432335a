"""Answers given to requests that carry an Idempotency-Key.

A record is opened in the same transaction as the effect that it guards, and holds the answer once there is one.
Invariants: one record for each caller, route and key; the same key with other input is refused; an answer, once kept,
is what every repeat gets, a decline included.
"""
