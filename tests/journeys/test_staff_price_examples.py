"""The worked examples of academy services in document 3: set by staff, bought by a customer, with its numbers."""

from __future__ import annotations

import pytest

from chalicelib.books.catalog.model import ResourceSet, SetKind
from tests.pricing import PATH, a_new_service, made, warned
from tests.shop import MENTORING, put
from tests.staffing import Clerk, clerk, refused
from tests.world import Person, Reply, World

EXPERTS = 62


@pytest.fixture
def staff(world: World) -> Clerk:
    kind = SetKind.MENTORSHIP_SERVICE
    put(world.table, ResourceSet(id=EXPERTS, academy_id=world.academy_id, kind=kind, slug="experts", name="E"))
    return clerk(world)


def paid(answer: Reply) -> float:
    assert answer.status == 201, answer.text
    return float(answer.json["amount"])


class TestTheExamplesOfTheDocument:
    @pytest.fixture
    def customer(self, world: World) -> Person:
        return world.paying()

    def test_ai_chat_messages_are_paid_per_use(self, staff: Clerk, customer: Person) -> None:
        service = a_new_service(staff, "ai-messages", consumer="AI_INTERACTION")
        sold = made(
            staff,
            service=service,
            price_per_unit=0.01,
            bundle_size=100,
            max_items=50000,
            max_amount=500.00,
            discount_ratio=1.0,
        )
        assert sold["warnings"] == []
        refused(customer.buy("ai-messages", 99), 400, "the-amount-of-items-is-too-low")
        assert paid(customer.buy("ai-messages", 100)) == 1.00
        assert paid(customer.buy("ai-messages", 50000)) == 500.00
        refused(customer.buy("ai-messages", 50001), 400, "the-amount-of-items-is-too-high")
        customer.world.settle()
        assert customer.units("ai-messages") == 50100

    def test_mentorship_sessions_are_cheaper_in_bulk(self, staff: Clerk, customer: Person) -> None:
        service = a_new_service(staff, "sessions", type="MENTORSHIP_SERVICE", consumer="JOIN_MENTORSHIP")
        made(
            staff,
            service=service,
            price_per_unit=50.00,
            bundle_size=1,
            max_items=20,
            max_amount=800.00,
            discount_ratio=0.90,
            available_mentorship_service_sets=[EXPERTS],
        )
        assert paid(customer.buy("sessions", 1)) == 50.00
        assert paid(customer.buy("sessions", 10)) == 450.00
        assert paid(customer.buy("sessions", 17)) == 765.00
        refused(customer.buy("sessions", 18), 400, "the-amount-is-too-high")
        refused(customer.buy("sessions", 21), 400, "the-amount-of-items-is-too-high")

    @pytest.mark.parametrize(
        ("country", "unit", "ten"),
        [("US", 1.00, 10.00), ("MX", 0.70, 7.00), ("ES", 0.85, 8.50), ("IN", 0.50, 5.00), ("BR", 0.60, 6.00)],
    )
    def test_regions_have_their_prices(
        self, staff: Clerk, customer: Person, country: str, unit: float, ten: float
    ) -> None:
        service = a_new_service(staff, "abroad")
        exceptions = {"MX": 0.70, "ES": 0.85, "IN": 0.50, "BR": 0.60}
        printed = made(staff, service=service, price_per_unit=1.00, bundle_size=10, pricing_ratio_exceptions=exceptions)
        assert warned(printed) == ["one-item-limit", "cap-below-bundle", "cap-below-bundle"]
        path = f"{PATH}/abroad?country_code={country}&academy={staff.academy_id}"
        assert customer.get(path).json["price_per_unit"] == staff.get(path).json["price_per_unit"] == unit
        refused(customer.buy("abroad", 10, country_code=country), 400, "the-amount-of-items-is-too-high")
        assert warned(staff.put(f"{PATH}/abroad", {"max_items": 100, "max_amount": 100}).json) == []
        assert paid(customer.buy("abroad", 10, country_code=country)) == ten

    def test_what_was_bought_keeps_its_price(self, staff: Clerk, customer: Person) -> None:
        assert paid(customer.buy(how_many=10)) == 450.00
        assert staff.put(f"{PATH}/{MENTORING}", {"price_per_unit": 60}).status == 200
        assert [invoice["amount"] for invoice in customer.invoices()] == [450.00]
        assert paid(customer.buy(how_many=10)) == 540.00
