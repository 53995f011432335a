"""Check: a customer looks what a plan would cost, and has a bag."""

from __future__ import annotations

from typing import Any

from tests.simulation.shops import COUPONS, PLANS
from tests.simulation.stage import Sent, Stage

BAGS_KEPT_MAX = 4
WITH_A_COUPON = 0.7
SEATS = (None, None, 6)


def act(stage: Stage) -> None:
    customer, rng = stage.somebody(), stage.rng
    plan = rng.choice(list(PLANS[customer.academy_id]))
    body: dict[str, Any] = {"type": rng.choice(("BAG", "PREVIEW")), "plans": [plan], "country_code": "US"}
    if rng.random() < WITH_A_COUPON:
        body["coupons"] = [rng.choice(COUPONS[customer.academy_id])]
    if plan == "team":
        body["team_seats"] = rng.choice(SEATS)
    reply = stage.ask(customer, Sent("PUT", "/v2/payments/checking", body))
    if reply is not None and reply.status == 200:
        customer.bags = [*customer.bags[-BAGS_KEPT_MAX:], {"token": reply.json["token"], "plan": plan}]
