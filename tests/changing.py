"""Changes of plan for tests: two further plans, and what a customer asks for."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from chalicelib.books.catalog.model import Period, PlanItem
from tests.recurring import holding, run
from tests.shop import CHAT, a_plan, an_item, put
from tests.world import START, Person, Reply, World

PRO, MAX, NEAR = 1100, 1101, 1102
MONTH_END = START.replace(month=12)
HALF = START + timedelta(days=15)


def further_plans(world: World) -> None:
    """Pro costs twice what basic does and grants other units, max is a further step up; near costs some cents more."""
    put(world.table, an_item(id=11, how_many=20_000), an_item(id=12, how_many=90_000))
    rows = ((PRO, "pro", "119.99", 11), (MAX, "max", "299.99", 12), (NEAR, "near", "60.50", 1))
    for ident, slug, month, item in rows:
        prices = {Period.MONTH: Decimal(month), Period.YEAR: Decimal(month) * 10}
        items = (PlanItem(link_id=ident * 10, item_id=item, service_id=CHAT),)
        changes = {"id": ident, "slug": slug, "title": slug.title(), "prices": prices, "items": items}
        put(world.table, a_plan(world.now, world.academy_id, **changes))


def path_of(person: Person) -> str:
    return f"/v1/payments/me/subscription/{holding(person).id}/change"


def change(person: Person, plan: str, period: str | None = None) -> Reply:
    body = {"plan": plan} if period is None else {"plan": plan, "chosen_period": period}
    return person.put(path_of(person), body)


def changed(world: World, person: Person, plan: str, period: str | None = None) -> Any:
    answer = change(person, plan, period)
    assert answer.status == 200, answer.text
    run(world)
    return answer.json


def preview(person: Person, plan: str, period: str = "MONTH") -> Any:
    answer = person.get(f"{path_of(person)}/preview?plan={plan}&chosen_period={period}")
    assert answer.status == 200, answer.text
    return answer.json
