"""The project's own stand-in for Stripe, for local runs and tests.

It owns a small state machine of the Stripe calls that this project makes: customers, payment methods, setup and
payment intents, charges, refunds, disputes, events, checkout sessions and webhook endpoints, with Stripe's wire
format, idempotency keys, published test cards, events and signed webhooks. It is used in two ways: behind a loopback
HTTP server (`server.StandinServer`) and in-process under the real library (`inprocess.InProcessClient`).

What always holds: time comes in as an argument, randomness comes from one generator that is passed in, and an
answer is either what Stripe would say or Stripe's own "Unrecognized request URL". Tests and demonstrations give it
orders through `/_control`: lose answers, refuse, shuffle webhooks, dispute, refund.

It does not pretend to be all of Stripe: no prices, invoices, subscriptions, Connect, balance, manual capture or raw
card numbers, and a card does not decline merely because the clock passed its expiry.
"""
