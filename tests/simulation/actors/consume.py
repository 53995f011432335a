"""Consume: a customer uses a unit, perhaps under a hash."""

from __future__ import annotations

import json

from tests.simulation.shops import SERVICES
from tests.simulation.stage import Customer, Sent, Stage

USES_KEPT_MAX = 6


def act(stage: Stage) -> None:
    use(stage, stage.somebody())


def use(stage: Stage, customer: Customer, service: str | None = None) -> None:
    rng = stage.rng
    service = service or rng.choice(_owned(stage, customer) or list(SERVICES))
    path = f"/v1/payments/me/service/{service}/consumptionsession"
    if rng.random() < 0.6:
        reply = stage.send(customer, Sent("PUT", f"{path}/use-{rng.getrandbits(16)}"))
    else:
        reply = stage.ask(customer, Sent("PUT", path))
    if reply is not None and reply.status == 201:
        customer.uses = [*customer.uses[-USES_KEPT_MAX:], (service, reply.json["id"])]


def _owned(stage: Stage, customer: Customer) -> list[str]:
    """The services of which the customer has, or had, units."""
    rows = stage.memory.beginning(f"LEDGER#USER#{customer.user_id}", "BAL#")
    found = {json.loads(row["doc"]["S"])["service_slug"] for row in rows}
    return [slug for slug in SERVICES if slug in found]
