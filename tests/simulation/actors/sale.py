"""Sale: several people of an academy check the same plan with the same coupon, and then all pay."""

from __future__ import annotations

from tests.simulation.actors import check, pay
from tests.simulation.shops import ACADEMIES, COUPONS
from tests.simulation.stage import Stage

BUYERS_MAX = 2
PLANS = {1: ("basic", "bootcamp", "pro-trial"), 2: ("n-basic",)}
"""The plans that the coupons serve."""


def act(stage: Stage) -> None:
    rng = stage.rng
    academy_id = rng.choice(ACADEMIES)
    coupon = rng.choice(COUPONS[academy_id])
    buyers = [person for person in stage.people if person.academy_id == academy_id and stage.has_card(person)]
    rng.shuffle(buyers)
    for customer in buyers[:BUYERS_MAX]:
        for plan in rng.sample(PLANS[academy_id], rng.randint(1, len(PLANS[academy_id]))):
            check.check(stage, customer, plan, coupon)
    for customer in buyers[:BUYERS_MAX]:
        for bag in customer.bags[-2:]:
            pay.pay_bag(stage, customer, bag)
