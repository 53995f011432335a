"""Check: a customer looks what a plan would cost, and has a bag."""

from __future__ import annotations

from typing import Any

from chalicelib.books.catalog.model import Coupon
from chalicelib.dynamo.rows import decode, load
from tests.simulation.shops import COUPONS, PLANS, SEATED
from tests.simulation.stage import Customer, Sent, Stage

BAGS_KEPT_MAX = 4
WITH_A_COUPON = 0.7
SEATS = (None, None, 6)


def act(stage: Stage) -> None:
    customer, rng = stage.somebody(), stage.rng
    plan = rng.choice(list(PLANS[customer.academy_id]))
    coupon = rng.choice([*COUPONS[customer.academy_id], *_earned(stage, customer)])
    check(stage, customer, plan, coupon if rng.random() < WITH_A_COUPON else None)


def _earned(stage: Stage, customer: Customer) -> list[str]:
    """What the customer has for bringing others, used or not, revoked or not: half of what such a one tries."""
    rows = stage.memory.beginning(f"ACADEMY#{customer.academy_id}", "COUPON#reward-")
    found = [load(Coupon, decode(row)) for row in rows]
    own = [coupon.slug for coupon in found if coupon.allowed_user_id == customer.user_id]
    return own[-len(COUPONS[customer.academy_id]) :]


def check(stage: Stage, customer: Customer, plan: str, coupon: str | None) -> None:
    body: dict[str, Any] = {"type": stage.rng.choice(("BAG", "PREVIEW")), "plans": [plan], "country_code": "US"}
    if coupon is not None:
        body["coupons"] = [coupon]
    if plan in SEATED:
        body["team_seats"] = stage.rng.choice(SEATS)
    reply = stage.ask(customer, Sent("PUT", "/v2/payments/checking", body))
    if reply is not None and reply.status == 200:
        customer.bags = [*customer.bags[-BAGS_KEPT_MAX:], {"token": reply.json["token"], "plan": plan}]
