"""Which part went back of what a line cost: what is named of it, and its part of what names none."""

from __future__ import annotations

from fractions import Fraction
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.books.billing.model import Invoice, Refund, RefundLine, RefundOrder
from chalicelib.books.billing.refunds import amount_returned, share_returned
from chalicelib.books.ledger.entries import grant_entry
from chalicelib.books.ledger.model import Grant, Origin, Source, Unit
from chalicelib.books.subscriptions.model import Fate
from chalicelib.flows.fulfillment.consequences import units_target
from tests.billing_rows import NOW, a_dispute, a_line, an_invoice

COSTS = {"plan": 60, "add_on:1": 30, "add_on:2": 10}
WHOLE = sum(COSTS.values())

named = st.dictionaries(st.sampled_from(sorted(COSTS)), st.integers(1, 60), max_size=2)
parts = st.lists(st.one_of(named, st.integers(1, 60)), max_size=5)


def returned(
    *found: dict[str, int] | int,
    lost: int = 0,
    failed: tuple[int, ...] = (),
    costs: dict[str, int] = COSTS,
) -> Invoice:
    """An invoice of these lines of which these parts went back, by line or not; those of `failed` did not."""
    refunds, orders = [], []
    for number, part in enumerate(found):
        lines = tuple(RefundLine(id=ident, amount=of) for ident, of in part.items()) if isinstance(part, dict) else ()
        amount = part if isinstance(part, int) else sum(part.values())
        orders.append(RefundOrder(id=number, amount=amount, lines=lines, ordered_by="user:1", ordered_at=NOW))
        status = "failed" if number in failed else "succeeded"
        made = Refund(id=f"re_{number}", amount=amount, status=status, created_at=NOW, order_id=number)
        refunds.append(made)
    return an_invoice(
        amount=sum(costs.values()),
        lines=tuple(a_line(amount).model_copy(update={"id": ident}) for ident, amount in costs.items()),
        refunds=tuple(refunds),
        refund_orders=tuple(orders),
        disputes=(a_dispute(lost, "lost"),) if lost else (),
    )


def shares(invoice: Invoice) -> list[Fraction]:
    return [share_returned(invoice, {ident}) for ident in COSTS]


class TestShareReturned:
    def test_of_what_is_named_is_its_line_alone(self) -> None:
        assert shares(returned({"add_on:1": 10})) == [0, Fraction(1, 3), 0]

    def test_of_what_is_not_named_is_every_lines(self) -> None:
        assert shares(returned(40)) == [Fraction(2, 5)] * 3

    def test_of_both_adds_up_in_the_order_in_which_it_went_back(self) -> None:
        assert shares(returned({"add_on:1": 30}, 35)) == [Fraction(1, 2), 1, Fraction(1, 2)]
        assert shares(returned(50, {"add_on:1": 15})) == [Fraction(1, 2), 1, Fraction(1, 2)]

    def test_of_more_than_was_left_of_a_line_comes_out_of_the_others(self) -> None:
        assert share_returned(returned(50, {"add_on:1": 30}), {"add_on:1"}) == 1
        assert share_returned(returned(50, {"add_on:1": 30}), {"plan", "add_on:2"}) == Fraction(50, 70)

    def test_counts_a_lost_dispute_and_no_failed_refund(self) -> None:
        assert shares(returned({"plan": 60}, lost=40)) == [1, 1, 1]
        assert shares(returned({"plan": 60}, failed=(0,))) == [0, 0, 0]

    def test_of_a_free_invoice_is_nothing(self) -> None:
        assert share_returned(an_invoice(amount=0, lines=()), {"plan"}) == 0

    @given(parts, st.integers(0, 60))
    def test_of_all_lines_is_what_went_back(self, found: list[dict[str, int] | int], lost: int) -> None:
        invoice = returned(*found, lost=lost)
        own, others = share_returned(invoice, {"add_on:1"}), share_returned(invoice, {"plan", "add_on:2"})
        assert 0 <= own <= 1
        assert 0 <= others <= 1
        assert own * 30 + others * 70 == amount_returned(invoice)


class TestUnitsTarget:
    """Which lines paid for which units, in an invoice of two instalments of a team with an add-on."""

    COSTS: ClassVar = {"plan:2": 50, "seats:2": 20, "add_on:12:2": 10, "add_on:1:2": 10, "plan:3": 50}

    @staticmethod
    def due(link: str, **back: int) -> int:
        """Of a hundred units of this link, once so much of these lines went back."""
        unit = Unit(academy_id=4, service_id=12, service_slug="mentoring", service_type="VOID")
        origin = Origin(source=Source.PLAN, invoice_id=3001, financing_id=7)
        grant = Grant(lot_id=f"7_{link}_0", unit=unit, how_many=100, expires_at=None, origin=origin)
        entry = grant_entry(unit, [grant], page=0, now=NOW, cause="invoice:3001")
        lines = {name.replace("__", ":"): amount for name, amount in back.items()}
        invoice = returned(lines, costs=TestUnitsTarget.COSTS)
        target = units_target(invoice, entry, fate=Fate.LIVE, ended_at=None, collect=False, is_over=False)
        return target.due

    def test_of_an_add_on_follows_its_own_lines(self) -> None:
        assert [self.due(link, add_on__12__2=5) for link in ("add_on_12", "add_on_1", "9")] == [50, 0, 0]

    def test_of_the_plan_follows_all_of_its_lines(self) -> None:
        assert [self.due(link, plan__2=25) for link in ("9", "add_on_12")] == [25, 0]

    def test_of_nobody_follows_further_seats(self) -> None:
        assert [self.due(link, seats__2=20) for link in ("9", "add_on_12", "add_on_1")] == [0, 0, 0]
