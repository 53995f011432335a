"""Time that passes, for what recurs: day by day, with everything that is due done, and what it caused settled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import Customer
from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.books.subscriptions.model import Financing, Subscription
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import commit
from tests.world import Person, Reply, World


def run(world: World) -> None:
    """Everything that is due now, with the minute's tick."""
    world.settle()
    if not world.resting():
        world.sweep()
        world.settle()


def live(world: World, days: int) -> None:
    """So many days, each with its ticks."""
    for _ in range(days):
        world.advance(days=1)
        run(world)


def until(world: World, at: datetime) -> None:
    """To an instant, in days, and a rest."""
    while (at - world.now).total_seconds() > 86_400:
        live(world, 1)
    world.advance(seconds=(at - world.now).total_seconds())
    run(world)


def subscribed(world: World, plan: str = "basic", *, person: Person | None = None, **pay: Any) -> Person:
    """Somebody who pays the plan by the month, or as said."""
    found = person or world.paying()
    bag = found.check(plan, **pay.pop("checking", {})).json
    answer = found.pay(bag, **({"chosen_period": "MONTH"} | pay))
    assert answer.status == 200, answer.text
    world.settle()
    return found


def holding(person: Person) -> Subscription | Financing:
    """The only one that a person has, as its row is."""
    table = person.world.table
    found: list[Subscription | Financing] = [*subscriptions.subscriptions(table, person.user_id)]
    found += subscriptions.financings(table, person.user_id)
    (one,) = found
    return one


def shown(person: Person, status: str | None = None) -> Any:
    """The only one that the API shows."""
    query = "" if status is None else f"?status={status}"
    answer = person.get(f"/v1/payments/me/subscription{query}").json
    found: list[Any] = [*answer["subscriptions"], *answer["plan_financings"]]
    (one,) = found
    return one


def paid(person: Person) -> list[float]:
    """The amounts of what was paid, the oldest first."""
    return [invoice["amount"] for invoice in reversed(person.invoices(limit="100")) if invoice["status"] == "FULFILLED"]


def mails(world: World, words: str) -> list[str]:
    """To whom mails went whose subject has these words."""
    return [mail.to for mail, _ in world.mailer.sent if words in mail.subject]


def ask(person: Person, verb: str, body: Any = None, **headers: str) -> Reply:
    """One of the customer's verbs, of the only holding that the person has."""
    return person.put(f"{path_of(holding(person))}/{verb}", body, **headers)


def path_of(found: Subscription | Financing) -> str:
    kind = "subscription" if isinstance(found, Subscription) else "planfinancing"
    return f"/v1/payments/me/{kind}/{found.id}"


def forget_card(person: Person) -> None:
    """The person has no card any more, as where the processor deleted its customer."""
    world = person.world
    row = world.table.get(billing.customer_key(person.user_id, world.runtime.gateway.account))
    assert row is not None
    customer = load(Customer, row).model_copy(update={"card": None})
    commit(world.table, [billing.put_customer(customer, version=row.version)])
