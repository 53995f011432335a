"""Guards that no seed misses: what else holds then, and the test that was seen to fail without the guard, if any."""

from __future__ import annotations

from collections.abc import Mapping

ELSEWHERE: Mapping[str, str] = {
    "a bag is paid once": "held by the invoice's version and the plan's claim; tests/stores/test_billing_store.py",
    "a bag is reopened by its own purchase only": "held by the invoice's version; tests/stores/test_billing_store.py",
    "an invoice is new": "ids of one person meet only within a millisecond; tests/stores/test_billing_store.py",
    "a customer's row is changed as it was read (version)": (
        "of two cards saved at once either may stay; tests/stores/test_billing_store.py"
    ),
    "attempts are counted one by one (version)": (
        "two refused at once at the limit are rare; tests/stores/test_billing_store.py"
    ),
    "a month's recharges stay within its limit": (
        "two of one owner that begin at once count their attempts one by one; tests/conformance/recharge_cases.py"
    ),
    "a recharge is bound as it was read (version)": (
        "two of one owner that begin at once count their attempts one by one; tests/conformance/recharge_cases.py"
    ),
    "a claim is given back by its own purchase only": (
        "held by the invoice's version; tests/stores/test_subscriptions_store.py"
    ),
    "a use that was not taken is not given back": "held by the invoice's version; tests/stores/test_catalog_store.py",
    "a reward that was revoked is not taken": (
        "needs a refund between a seller's check and their payment; tests/journeys/test_rewards.py"
    ),
    "a late payment claims again": "failed payments are closed first; tests/journeys/test_crash_workers.py",
    "what was not delivered is never called fulfilled": (
        "failed payments are closed first; tests/journeys/test_refunds_and_disputes.py"
    ),
    "what came too late is decided once": (
        "failed payments are closed first; tests/journeys/test_refunds_and_disputes.py"
    ),
    "a lot is granted once, on a page with room": (
        "held by the invoice's version, no page fills up; tests/stores/test_ledger_store.py"
    ),
    "an entry is written once": "held by the lot, the session, the invoice; tests/stores/test_ledger_store.py",
    "units go back to a lot as it was read": (
        "needs a lot that closes or opens between reading and writing; tests/stores/test_ledger_store.py"
    ),
    "a charge whose answer was lost is looked for in the list": (
        "its key holds for a day, and the sweep comes sooner; tests/journeys/test_sweeps.py"
    ),
    "a key's answer is kept once": "held by the invoice's version; tests/stores/test_idempotency_store.py",
    "a key's answer is kept": "the same invoice is found by its id and told anew; tests/journeys/test_idempotency.py",
    "the refund of a late payment has one key": (
        "held by the list of refunds, which is read first: of use where that lags"
    ),
    "a charge is not made again when its key may be gone": "held by the list of payments: of use where that lags",
    "the list begins before the attempt, since clocks differ": (
        "needs a clock ahead, a death and a lost webhook at once; tests/journeys/test_sweeps.py"
    ),
    "a purchase in flight is left alone for a while": "held by the charge's key; tests/journeys/test_idempotency.py",
    "an event is stored once": "what it causes happens once; tests/stores/test_inbox_store.py",
    "an event is kept as it was read (version)": "what it causes happens once; tests/stores/test_inbox_store.py",
    "a message is sent by one (version)": "a mail may come twice; tests/stores/test_outbox_store.py",
    "events of payments are acted on": "the sweep finds every payment; tests/journeys/test_webhooks.py",
    "events of setups are acted on": "which card is kept is no rule of the books; tests/journeys/test_cards.py",
    "events of charges are acted on": "useless beside the events of refunds, which tell the same",
    "events of refunds are acted on": (
        "those of charges tell all but what fails; tests/journeys/test_refunds_and_disputes.py"
    ),
    "events of customers are acted on": "their cards are detached too; tests/journeys/test_cards.py",
    "a payment is of its own customer's invoice only": "nobody forges metadata here; tests/journeys/test_webhooks.py",
    "what collided is sent again": "whoever collided is told to try later; tests/stores/test_dynamo_writes.py",
    "a transaction that is sent again has its token": (
        "useless but for fewer refusals, as intended: whoever is refused reads again"
    ),
    "a purchase that lost a race begins again": "whoever lost is told to ask again: of use to the customer only",
    "an event is acknowledged only when it is stored": (
        "most of what an event tells another one tells too, or a sweep finds; tests/journeys/test_webhooks.py"
    ),
    "a key opens one purchase": "held by the count of attempts and by the bag; tests/stores/test_idempotency_store.py",
    "units are taken only where enough are left": (
        "needs two at the last unit of a lot at once; tests/stores/test_ledger_store.py"
    ),
    "a grant is reversed as its lots were read": (
        "needs a use between the reading and the writing of a refund; tests/journeys/test_refund_races.py"
    ),
    "a lot is retimed as its page was read": (
        "needs a use that empties the lot between reading and writing; tests/stores/test_ledger_retime.py"
    ),
    "a credit note has a number of its own": "needs two refunds at once; tests/journeys/test_refund_races.py",
    "a refund that staff order has one key": (
        "held by the list of refunds, which is read first; needs two at once: tests/journeys/test_refund_races.py"
    ),
    "a payment that its holder may confirm stays open": (
        "whether a customer can finish what the bank asked for is no rule of the books; tests/journeys/test_renewals.py"
    ),
    "a new card is tried at once": "the schedule tries it a day later; tests/journeys/test_renewals.py",
    "each invoice has its say about a holding": (
        "needs two invoices of one holding refunded or disputed; tests/journeys/test_refunds_of_renewals.py"
    ),
    "what is disputed is not asked for": (
        "what is held back is not renewed either; tests/journeys/test_refunds_of_renewals.py"
    ),
    "an attempt has a key of its own": (
        "ours are a day apart, when a key is forgotten: it is for the customer's; tests/journeys/test_pay_now.py"
    ),
    "periods that came late are a day apart": ("needs two months without a tick; tests/journeys/test_renewals.py"),
}
