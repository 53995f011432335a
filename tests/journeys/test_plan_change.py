"""Changes of plan: an upgrade is paid now by the second, a downgrade waits, and nothing is paid twice or given twice."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from chalicelib.books.catalog.model import Period, PlanItem
from tests.books import check_books
from tests.recurring import holding, paid, run, shown, subscribed, until
from tests.shop import CHAT, a_coupon, a_plan, an_item, put
from tests.world import START, Person, Reply, World

PRO, MAX = 1100, 1101
MONTH_END = START.replace(month=12)
HALF = START + timedelta(days=15)


@pytest.fixture(autouse=True)
def further_plans(world: World) -> None:
    """Pro costs twice what basic does and grants other units; max is a further step up."""
    put(world.table, an_item(id=11, how_many=20_000), an_item(id=12, how_many=90_000))
    for ident, slug, month, item in ((PRO, "pro", "119.99", 11), (MAX, "max", "299.99", 12)):
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


class TestAnUpgrade:
    def test_is_charged_for_the_seconds_that_are_left(self, world: World) -> None:
        person = subscribed(world)
        until(world, HALF)
        shown_before = preview(person, "pro")
        assert (shown_before["amount"], shown_before["applies_at"]) == (30.0, "2026-12-06T12:00:00Z")
        assert [line["amount"] for line in shown_before["lines"]] == [60.0, -30.0]
        answer = changed(world, person, "pro")
        assert (paid(person), answer["plans"][0]["slug"]) == ([59.99, 30.0], "pro")
        assert (person.units("ai-chat"), person.units("mentorship-service")) == (20_000, 0)
        assert (answer["valid_until"], answer["planned"], answer["credit"]) == ("2026-12-21T12:00:00Z", None, 0.0)
        check_books(world)
        until(world, MONTH_END)
        assert paid(person) == [59.99, 30.0, 119.99]
        assert person.units("ai-chat") == 20_000
        check_books(world)
