"""The status of a paid invoice follows from its refunds and disputes alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.billing.model import Dispute, InvoiceStatus, Refund
from chalicelib.books.billing.refunds import paid_status
from tests.billing_rows import a_dispute, a_refund, an_invoice

FULFILLED, PARTIALLY, REFUNDED, DISPUTED = (
    InvoiceStatus.FULFILLED,
    InvoiceStatus.PARTIALLY_REFUNDED,
    InvoiceStatus.REFUNDED,
    InvoiceStatus.DISPUTED,
)
OPEN = ("warning_needs_response", "warning_under_review", "needs_response", "under_review")

refunds = st.builds(
    a_refund,
    st.integers(1, 150),
    st.sampled_from(["succeeded", "pending", "requires_action", "failed", "canceled"]),
)
disputes = st.builds(a_dispute, st.integers(1, 150), st.sampled_from([*OPEN, "won", "lost", "warning_closed"]))


def status(*found: Refund | Dispute, amount: int = 100) -> InvoiceStatus:
    given_refunds = tuple(one for one in found if isinstance(one, Refund))
    given_disputes = tuple(one for one in found if isinstance(one, Dispute))
    return paid_status(an_invoice(amount=amount, refunds=given_refunds, disputes=given_disputes))


class TestPaidStatus:
    @pytest.mark.parametrize(
        ("found", "expected"),
        [
            ((), FULFILLED),
            ((a_refund(100),), REFUNDED),
            ((a_refund(1),), PARTIALLY),
            ((a_refund(99),), PARTIALLY),
            ((a_refund(50), a_refund(50)), REFUNDED),
            ((a_refund(100, "pending"),), REFUNDED),
            ((a_refund(100, "requires_action"),), REFUNDED),
            ((a_refund(100, "failed"),), FULFILLED),
            ((a_refund(100, "canceled"), a_refund(10)), PARTIALLY),
            ((a_dispute(100, "won"),), FULFILLED),
            ((a_dispute(100, "warning_closed"),), FULFILLED),
            ((a_dispute(100, "lost"),), REFUNDED),
            ((a_dispute(40, "lost"),), PARTIALLY),
            ((a_dispute(40, "lost"), a_refund(60)), REFUNDED),
            ((a_dispute(100, "lost"), a_refund(100)), REFUNDED),
            ((a_refund(100), a_dispute(100, "won")), REFUNDED),
            *(((a_dispute(100, one), a_refund(100)), DISPUTED) for one in OPEN),
            ((a_dispute(100, "lost"), a_dispute(10, "under_review")), DISPUTED),
        ],
    )
    def test_is(self, found: Sequence[Refund | Dispute], expected: InvoiceStatus) -> None:
        assert status(*found) is expected

    @settings(max_examples=100, deadline=None)
    @given(found=st.lists(refunds | disputes, max_size=4))
    def test_does_not_depend_on_the_order(self, found: list[Refund | Dispute]) -> None:
        assert len({status(*ordered) for ordered in permutations(found)}) == 1

    @settings(max_examples=100, deadline=None)
    @given(found=st.lists(refunds, max_size=4))
    def test_agrees_with_what_is_said_to_be_refunded(self, found: list[Refund]) -> None:
        invoice = an_invoice(amount=100, refunds=tuple(found))
        back = sum(one.amount for one in found if one.status in ("succeeded", "pending", "requires_action"))
        assert invoice.amount_refunded == back
        assert paid_status(invoice) is (REFUNDED if back >= 100 else PARTIALLY if back else FULFILLED)

    def test_of_a_free_invoice_is_fulfilled(self) -> None:
        assert status(amount=0) is FULFILLED
