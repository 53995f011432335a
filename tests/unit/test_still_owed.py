"""Which debts are paid by units that come back to their lots: each unit pays once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from chalicelib.books.ledger.entries import still_owed
from chalicelib.books.ledger.model import Balance, Owed, Portion
from tests.billing_rows import a_grant, a_unit

PAYMENT = 7
LOTS = ("a", "b", "c")


def coming(**units: int) -> list[Portion]:
    origin = a_grant().origin.model_copy(update={"invoice_id": PAYMENT})
    return [Portion(lot_id=lot, units=how_many, granted=10, page=0, origin=origin) for lot, how_many in units.items()]


def a_page(*, invoice_id: int = PAYMENT, **units: int) -> Balance:
    """A page that owes so many units of the grant of each lot."""
    owed = [
        Owed(grant_id=f"{lot}#grant", invoice_id=invoice_id, units=how_many, collect=False)
        for lot, how_many in units.items()
    ]
    return Balance(holder_kind="USER", holder_id=1, unit=a_unit(), page=0, lots=(), owed=tuple(owed))


def test_a_unit_pays_one_debt() -> None:
    assert still_owed(coming(b=1), a_page(a=1, b=1)) == {("b#grant", "b"): 1}


def test_their_own_grant_is_paid_first_and_others_of_the_payment_then() -> None:
    assert still_owed(coming(b=3), a_page(a=1, b=1)) == {("b#grant", "b"): 1, ("a#grant", "b"): 1}


def test_what_another_payment_granted_is_not_paid() -> None:
    assert still_owed(coming(b=3), a_page(b=1, invoice_id=PAYMENT + 1)) == {}


def test_nothing_is_owed_where_there_is_no_page() -> None:
    assert still_owed(coming(b=3), None) == {}


@given(
    came=st.dictionaries(st.sampled_from(LOTS), st.integers(1, 5)),
    due=st.dictionaries(st.sampled_from(LOTS), st.integers(1, 5)),
)
def test_as_much_is_paid_as_comes_and_is_owed(came: dict[str, int], due: dict[str, int]) -> None:
    of_grant: Counter[str] = Counter()
    of_lot: Counter[str] = Counter()
    for (grant_id, lot), units in still_owed(coming(**came), a_page(**due)).items():
        of_grant[grant_id.removesuffix("#grant")] += units
        of_lot[lot] += units
    assert of_grant <= Counter(due)
    assert of_lot <= Counter(came)
    assert of_lot.total() == min(sum(came.values()), sum(due.values()))
