"""The guards of what recurs, each with the patch that removes it: as in `guards.py`."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import patch

from chalicelib.books.ledger import store as ledger
from chalicelib.books.subscriptions import course, cycle
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.course import DUNNING_DAYS
from chalicelib.books.teams import recharge_store
from chalicelib.dynamo import writes
from chalicelib.dynamo.writes import anyway
from chalicelib.entrypoints import schedules
from chalicelib.flows.checkout import save_card
from chalicelib.flows.fulfillment import fulfill, reject, renew, renewal, reverse, settle
from chalicelib.flows.metering import expire
from chalicelib.flows.reconcile import handle_event, sweep
from chalicelib.flows.recurring import collect, rewrite, tend
from local.stripe_standin.inprocess import InProcessClient
from tests.simulation.guards import Guard, Removal, free, swapped, unwritten

NEVER = timedelta(days=9999)


def first_key_again(patches: ExitStack) -> None:
    """Each attempt asks with the key of the first one."""
    real = InProcessClient.request

    def request(client: Any, method: str, url: str, headers: Any, post_data: Any = None, **more: Any) -> Any:
        key = str(headers.get("Idempotency-Key", ""))
        if method == "post" and url.endswith("/v1/payment_intents") and key.startswith("invoice-"):
            headers = {**headers, "Idempotency-Key": f"{key.rpartition('-')[0]}-1"}
        return real(client, method, url, headers, post_data, **more)

    patches.enter_context(patch.object(InProcessClient, "request", request))


def at_once_where_late(since: datetime, failures: int, now: datetime) -> datetime | None:
    return since + timedelta(days=DUNNING_DAYS[failures - 1]) if failures <= len(DUNNING_DAYS) else None


def only_the_latest_says(patches: ExitStack) -> None:
    """What an invoice said before is forgotten when another one has its say."""
    real = cycle.fated

    def fated(holding: Any, *arguments: Any) -> Any:
        before = holding.held_back
        if before is not None:
            holding = holding.model_copy(update={"held_back": before.model_copy(update={"fates": {}})})
        return real(holding, *arguments)

    patches.enter_context(patch.object(reverse, "fated", fated))


def not_written_down(patches: ExitStack) -> None:
    """An attempt begins without a word on the holding."""
    real = writes.commit

    def commit(table: Any, asked: Any) -> None:
        real(table, [one for one in asked if one.key.sk.startswith("INVOICE#")] or asked)

    patches.enter_context(patch.object(collect, "commit", commit))


def over_and_claimed(patches: ExitStack) -> None:
    """What is over keeps its claim."""

    def changed(held: Any, after: Any) -> Any:
        return [subscriptions.changed_holding(after, version=held.version)]

    for module in (renew, rewrite, collect):
        patches.enter_context(patch.object(module, "changed_writes", changed))


def refusals_of_no_matter(patches: ExitStack) -> None:
    """A refused payment says nothing to its holding."""
    patches.enter_context(patch.object(reject, "refusal_writes", lambda *arguments: ([], [], None)))


def always_open(payment: Any) -> bool:
    return False


def marked(name: str, instead: Any) -> Removal:
    """Another function of the course, wherever it is asked."""

    def remove(patches: ExitStack) -> None:
        for module in (course, renew, tend):
            if hasattr(module, name):
                patches.enter_context(patch.object(module, name, instead))

    return remove


RECURRING: tuple[Guard, ...] = (
    Guard("what is due is nudged", swapped(schedules, "due_holdings", lambda table, now, enough: [])),
    Guard("a holding is changed as it was read (version)", free(subscriptions, "changed_holding")),
    Guard("a period's invoice is named after it", swapped(renewal, "period_invoice_id", lambda ident, at: ident)),
    Guard("an attempt is written on its holding", not_written_down),
    Guard("an attempt has a key of its own", first_key_again),
    Guard("the attempt before is closed", swapped(collect, "closed", lambda context, stored: None)),
    Guard("a payment that its holder may confirm stays open", swapped(settle, "_awaits_bank", always_open)),
    Guard("attempts that came late are a day apart", swapped(renewal, "next_attempt", at_once_where_late)),
    Guard("periods that came late are a day apart", swapped(renewal, "ONE_A_DAY", timedelta(0))),
    Guard("a lost card is not asked again", swapped(collect, "_is_hopeless", lambda holding, card: False)),
    Guard("a new card is tried at once", swapped(save_card, "card_saved", lambda context, user_id: None)),
    Guard(
        "news of an attempt that another one followed decide nothing",
        swapped(handle_event, "is_past_attempt", lambda context, payment: False),
    ),
    Guard("a refused payment says so on its holding", refusals_of_no_matter),
    Guard("a payment that nobody finished is given up after a day", swapped(sweep, "PENDING_GIVE_UP_AFTER", NEVER)),
    Guard("only what is to be paid next is delivered", swapped(fulfill, "can_be_renewed", lambda *arguments: True)),
    Guard("a refill is marked", marked("refills_after", lambda holding, now: dict(holding.refills))),
    Guard("lots end when access does", marked("ends_moved", lambda holding, fresh: False)),
    Guard("what came again is remembered with its invoice", unwritten(ledger, "paid_by")),
    Guard("each invoice has its say about a holding", only_the_latest_says),
    Guard("what is disputed is not asked for", swapped(course, "is_stopped", lambda holding: False)),
    Guard("what is over gives its claim back", over_and_claimed),
    Guard("a month's recharges stay within its limit", swapped(recharge_store, "_room", lambda *arguments: anyway)),
    Guard("what a recharge was not paid is not spent", unwritten(recharge_store, "spend_back")),
    Guard("a recharge is bound as it was read (version)", free(recharge_store, "changed_recharge")),
    Guard("lots that may last longer stay", swapped(expire, "_may_last", lambda *arguments: False)),
)
