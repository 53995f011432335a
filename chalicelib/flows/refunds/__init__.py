"""Money back: refunds that staff order, and what is known of a payment that is disputed.

Invariants: an order is in the table before the processor is asked, under a key of its own; no more is ordered than is
left. What follows from a refund for units and plan is `fulfillment.record_refunds`, whoever began it.
"""
