"""Which lots are cleared away once they have expired, and when a page is looked at next."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.books.ledger.burn import available
from chalicelib.books.ledger.expiry import KEPT_LOOK, LOOK_WITHIN, UNLIMITED_KEPT, look, next_look
from chalicelib.books.ledger.model import Balance, Lot, Origin, Source
from tests.billing_rows import NOW, a_unit

PURCHASE, STAFF = Origin(source=Source.PURCHASE, invoice_id=1), Origin(source=Source.STAFF)
AGO, LATER = NOW - timedelta(days=1), NOW + timedelta(days=3)


def a_lot(ident: str = "a", remaining: int = 5, **changed: Any) -> Lot:
    values = {"granted": remaining, "expires_at": AGO, "created_at": AGO, "origin": PURCHASE, **changed}
    return Lot(id=ident, remaining=remaining, **values)


def a_page(*lots: Lot, disputed: tuple[int, ...] = ()) -> Balance:
    return Balance(holder_kind="USER", holder_id=1, unit=a_unit(), page=0, lots=lots, disputed=disputed)


def gone(*lots: Lot, kept: tuple[str, ...] = (), disputed: tuple[int, ...] = ()) -> list[str]:
    return [lot.id for lot in look(a_page(*lots, disputed=disputed), NOW, kept=kept).going]


class TestWhatGoes:
    @pytest.mark.parametrize(
        "lot",
        [
            a_lot(),
            a_lot(expires_at=NOW),
            a_lot(remaining=0),
            a_lot(remaining=-1, origin=STAFF),
            a_lot(remaining=-1, expires_at=NOW - UNLIMITED_KEPT),
        ],
    )
    def test_is_what_has_expired(self, lot: Lot) -> None:
        assert gone(lot) == ["a"]

    @pytest.mark.parametrize(
        "lot",
        [
            a_lot(expires_at=NOW + timedelta(seconds=1)),
            a_lot(expires_at=None),
            a_lot(held=1),
            a_lot(remaining=0, frozen=5),
            a_lot(remaining=-1, expires_at=NOW - UNLIMITED_KEPT + timedelta(seconds=1)),
        ],
    )
    def test_is_not_what_lasts_or_is_held_or_frozen_or_may_begin_again(self, lot: Lot) -> None:
        assert gone(lot) == []

    def test_is_not_what_may_be_made_to_last_longer(self) -> None:
        assert gone(a_lot("a"), a_lot("b"), kept=("a",)) == ["b"]

    def test_is_not_what_is_disputed(self) -> None:
        assert gone(a_lot("a"), a_lot("b", origin=STAFF), disputed=(1,)) == ["b"]


class TestTheNextLook:
    @pytest.mark.parametrize(
        ("ends", "at"),
        [
            ([], None),
            ([None], None),
            ([None, LATER, LATER + timedelta(days=1)], LATER),
            ([NOW + timedelta(days=400)], NOW + LOOK_WITHIN),
            ([AGO], NOW + KEPT_LOOK),
            ([AGO, LATER], LATER),
        ],
    )
    def test_is_at_the_first_end_within_a_month(self, ends: list[datetime | None], at: datetime | None) -> None:
        assert next_look(ends, NOW) == at


LOTS = st.lists(
    st.builds(
        lambda remaining, held, frozen, days, staff: (remaining, held, frozen, days, staff),
        st.integers(-1, 3),
        st.booleans(),
        st.booleans(),
        st.none() | st.integers(-400, 400),
        st.booleans(),
    ),
    max_size=6,
)


class TestAnyPage:
    @given(LOTS, st.sets(st.integers(0, 5)))
    def test_shows_the_same_balance_and_is_looked_at_again_while_something_ends(
        self, drawn: list[tuple[int, bool, bool, int | None, bool]], kept: set[int]
    ) -> None:
        lots = [
            a_lot(
                str(number),
                0 if frozen else remaining,
                held=int(held),
                frozen=remaining if frozen else 0,
                expires_at=None if days is None else NOW + timedelta(days=days),
                origin=STAFF if staff else PURCHASE,
            )
            for number, (remaining, held, frozen, days, staff) in enumerate(drawn)
        ]
        found = look(a_page(*lots), NOW, kept={str(number) for number in kept})
        assert available(found.staying, NOW) == available(lots, NOW)
        assert sorted(lot.id for lot in (*found.going, *found.staying)) == sorted(lot.id for lot in lots)
        assert not any(lot.usable(NOW) for lot in found.going)
        ends = any(lot.expires_at is not None for lot in found.staying)
        assert (found.look_at is not None) == ends
        assert found.look_at is None or NOW < found.look_at <= NOW + LOOK_WITHIN
