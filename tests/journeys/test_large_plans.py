"""A plan that grants as much as one purchase may is delivered; one that grants more is refused before any charge."""

from __future__ import annotations

from typing import Any

from chalicelib.books.catalog import operations as catalog
from chalicelib.books.catalog.model import PlanItem, ServiceType
from chalicelib.flows.checkout.quote import GRANTS_MAX
from tests.shop import a_plan, a_service, an_item
from tests.world import World


def a_large_plan(world: World, *, items: int, **changed: Any) -> None:
    """A plan of so many items, each of a service of its own."""
    links = []
    for number in range(items):
        ident = 10_000 + number
        service = a_service(id=ident, slug=f"service-{number}", type=ServiceType.VOID)
        catalog.create(world.table, service)
        catalog.create(world.table, an_item(id=ident, service_id=ident, how_many=number + 1))
        links.append(PlanItem(link_id=ident, item_id=ident, service_id=ident))
    values = {"id": 7000, "slug": "large", "items": tuple(links), **changed}
    catalog.create(world.table, a_plan(world.now, world.academy_id, **values))


class TestLargePlans:
    def test_the_largest_is_delivered(self, world: World) -> None:
        a_large_plan(world, items=GRANTS_MAX)
        person = world.paying()
        answer = person.pay(person.check("large").json, chosen_period="MONTH", headers={"Idempotency_Key": "k"})
        assert answer.status == 200, answer.text
        assert [person.units(f"service-{number}") for number in (0, GRANTS_MAX - 1)] == [1, GRANTS_MAX]

    def test_a_larger_one_is_not_for_sale(self, world: World) -> None:
        a_large_plan(world, items=GRANTS_MAX + 1)
        refused = world.paying().check("large")
        assert (refused.status, refused.json["slug"]) == (400, "the-plan-was-chosen-is-not-ready-too-be-sold")
