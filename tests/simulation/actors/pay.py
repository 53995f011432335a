"""Pay: a customer pays a bag, perhaps under a key: the latest one, or an older one that may be paid or too old."""

from __future__ import annotations

from typing import Any

from tests.simulation.actors import check
from tests.simulation.shops import INSTALMENTS, PLANS
from tests.simulation.stage import Customer, Sent, Stage

CHECKED_FIRST = 0.5
LATEST, WITHOUT_CARD = 0.7, 0.1


def act(stage: Stage) -> None:
    if stage.rng.random() < CHECKED_FIRST:
        check.act(stage)
    pay(stage)


def pay(stage: Stage) -> None:
    rng = stage.rng
    ready = [
        person for person in stage.people if person.bags and (stage.has_card(person) or rng.random() < WITHOUT_CARD)
    ]
    if not ready:
        return
    latest = max(ready, key=lambda person: person.bags[-1]["token"])
    customer = latest if rng.random() < LATEST and not stage.outside.acts else stage.somebody(ready)
    pay_bag(stage, customer, customer.bags[-1] if rng.random() < LATEST else rng.choice(customer.bags))


def pay_bag(stage: Stage, customer: Customer, bag: dict[str, Any]) -> None:
    rng = stage.rng
    body: dict[str, Any] = {"token": bag["token"]}
    way = PLANS[customer.academy_id][bag["plan"]]
    if way == "period":
        body["chosen_period"] = rng.choice(("MONTH", "MONTH", "YEAR")) if bag["plan"].endswith("basic") else "MONTH"
    elif way == "instalments":
        body["how_many_installments"] = rng.choice(INSTALMENTS)
    headers = {"Idempotency-Key": f"pay-{rng.getrandbits(32)}"} if rng.random() < 0.5 else {}
    stage.send(customer, Sent("POST", "/v2/payments/pay", body, headers))
