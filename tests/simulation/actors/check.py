"""Check: a customer looks what a plan would cost, and has a bag."""

from __future__ import annotations

from typing import Any

from tests.simulation.shops import COUPONS, PLANS
from tests.simulation.stage import Customer, Sent, Stage

BAGS_KEPT_MAX = 4
WITH_A_COUPON = 0.7
SEATS = (None, None, 6)


def act(stage: Stage) -> None:
    customer, rng = stage.somebody(), stage.rng
    plan = rng.choice(list(PLANS[customer.academy_id]))
    coupon = rng.choice(COUPONS[customer.academy_id]) if rng.random() < WITH_A_COUPON else None
    check(stage, customer, plan, coupon)


def check(stage: Stage, customer: Customer, plan: str, coupon: str | None) -> None:
    body: dict[str, Any] = {"type": stage.rng.choice(("BAG", "PREVIEW")), "plans": [plan], "country_code": "US"}
    if coupon is not None:
        body["coupons"] = [coupon]
    if plan == "team":
        body["team_seats"] = stage.rng.choice(SEATS)
    reply = stage.ask(customer, Sent("PUT", "/v2/payments/checking", body))
    if reply is not None and reply.status == 200:
        customer.bags = [*customer.bags[-BAGS_KEPT_MAX:], {"token": reply.json["token"], "plan": plan}]
