"""Stripe behind `billing.gateway`: keys, timeouts, retries, error translation; and its webhooks' signatures.

The only importer of the stripe library, and only inside functions: a webhook or a catalog read never pays for it.
"""
