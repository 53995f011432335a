"""Several calls buy seats of one team at the same moment: each is paid for and counted once, or refused."""

from __future__ import annotations

from chalicelib.books.billing.model import InvoiceKind, InvoiceStatus
from chalicelib.books.subscriptions import queries as subscriptions
from tests.concurrency.parallel import ParallelWorld, at_once
from tests.world import Person, Reply


def buy(owner: Person, subscription: int, key: str) -> Reply:
    body = {"service": "seat", "how_many": 1, "subscription": subscription}
    return owner.post("/v1/payments/consumable/checkout", body, Idempotency_Key=key)


def test_six_calls_pay_for_as_many_seats_as_they_get(world: ParallelWorld) -> None:
    owner = world.paying()
    assert owner.pay(owner.check("team", team_seats=7).json, chosen_period="MONTH").status == 200
    (held,) = subscriptions.subscriptions(world.table, owner.user_id)
    replies = at_once(6, lambda number: buy(owner, held.id, str(number)))
    assert {reply.status for reply in replies} <= {201, 409}, [reply.text for reply in replies]
    (after,) = subscriptions.subscriptions(world.table, owner.user_id)
    bought = [one for one in world.invoices_of(owner, InvoiceStatus.FULFILLED) if one.kind is InvoiceKind.CHANGE]
    assert after.terms.seats == 7 + len(bought)
    assert len(bought) == len([reply for reply in replies if reply.status == 201]) >= 1
    assert after.planned is None
    world.come_to_rest()
