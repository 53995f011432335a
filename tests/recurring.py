"""Time that passes, for what recurs: day by day, with everything that is due done, and what it caused settled."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from chalicelib.books.subscriptions import queries as subscriptions
from chalicelib.books.subscriptions.model import Financing, Subscription
from tests.world import Person, World


def run(world: World) -> None:
    """Everything that is due now."""
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
