"""Outside events as they were received: what Stripe told us, to be looked into.

An event is stored under its own id by one conditional put before it is acknowledged, and waits in the due index until
it is handled, recorded only, or parked with its error. Invariant: an acknowledged event is never lost, and what it
says is a hint; whoever handles it asks Stripe.
"""
