"""What customers own: accounts, lots, entries.

An account is (tenant, holder, unit): an academy, a person or a team pool, and a service with the set it is for. A
holder's accounts share a partition, so that a balance is one Query. An account holds its open lots on balance pages,
one top-level attribute each, so that one conditional update takes units from chosen lots without a version fight.

Invariants: a lot never goes below zero; for each account the sum of its entries is the sum of its lots is what the
balance shows; an entry is written in the transaction that moves the units, under a key that follows from its cause, and
is never changed. Flows enter through `operations`; nobody else writes a lot.
"""
