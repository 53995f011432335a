"""Which lots are used: unlimited ones first, then the soonest to expire, then the oldest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.ledger.burn import InsufficientCredits, available, choose
from chalicelib.books.ledger.model import Balance, Lot, Origin, Source
from tests.billing_rows import a_unit

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def a_lot(ident: str, remaining: int = 10, *, expires_in: int | None = None, age: int = 0) -> Lot:
    """A lot that expires in so many seconds and is so many seconds old."""
    return Lot(
        id=ident,
        remaining=remaining,
        granted=remaining,
        expires_at=None if expires_in is None else NOW + timedelta(seconds=expires_in),
        created_at=NOW - timedelta(seconds=age),
        origin=Origin(source=Source.PLAN, invoice_id=1),
    )


def a_page(*lots: Lot, page: int = 0) -> Balance:
    return Balance(holder_kind="USER", holder_id=7, unit=a_unit(), page=page, lots=lots)


def chosen(*lots: Lot, units: int = 1) -> list[tuple[str, int]]:
    found = choose([a_page(*lots)], units=units, service="ai-chat", now=NOW)
    return [(take.lot.id, take.units) for take in found]


lots = st.builds(
    lambda remaining, expires_in, age: (remaining, expires_in, age),
    st.integers(-1, 6),
    st.none() | st.integers(-3, 3),
    st.integers(0, 3),
)


class TestChoose:
    def test_takes_unlimited_lots_first_even_where_others_expire_sooner(self) -> None:
        assert chosen(a_lot("soon", expires_in=1), a_lot("all", -1), units=99) == [("all", 99)]

    def test_takes_what_expires_soonest_before_what_never_does(self) -> None:
        lots_ = (a_lot("never", 5, age=9), a_lot("later", 5, expires_in=20), a_lot("soon", 5, expires_in=10))
        assert chosen(*lots_, units=12) == [("soon", 5), ("later", 5), ("never", 2)]

    def test_takes_the_oldest_of_those_that_expire_together(self) -> None:
        lots_ = (a_lot("new", 1, expires_in=9, age=1), a_lot("old", 1, expires_in=9, age=2))
        assert chosen(*lots_) == [("old", 1)]

    @pytest.mark.parametrize("expires_in", [-1, 0])
    def test_never_takes_what_has_expired(self, expires_in: int) -> None:
        with pytest.raises(InsufficientCredits):
            chosen(a_lot("gone", -1, expires_in=expires_in), a_lot("gone too", 5, expires_in=expires_in))

    def test_goes_over_pages(self) -> None:
        pages = [a_page(a_lot("b", 3, expires_in=9)), a_page(a_lot("a", 3, expires_in=5), page=1)]
        found = choose(pages, units=4, service="ai-chat", now=NOW)
        assert [(take.balance.page, take.lot.id, take.units) for take in found] == [(1, "a", 3), (0, "b", 1)]

    def test_says_how_many_were_wanted_and_how_many_there_are(self) -> None:
        with pytest.raises(InsufficientCredits) as refused:
            chosen(a_lot("a", 3), a_lot("b", 4), a_lot("c", 5, expires_in=0), units=8)
        assert refused.value.ids == {"service": "ai-chat", "wanted": 8, "available": 7}

    @settings(max_examples=400, deadline=None)
    @given(given_lots=st.lists(lots, max_size=6), units=st.integers(1, 20), split=st.integers(0, 6))
    def test_takes_as_many_as_wanted_in_order_and_from_no_lot_more_than_it_has(
        self, given_lots: list[tuple[int, int | None, int]], units: int, split: int
    ) -> None:
        made = [a_lot(str(n), remaining, expires_in=e, age=age) for n, (remaining, e, age) in enumerate(given_lots)]
        pages = [a_page(*made[:split]), a_page(*made[split:], page=1)]
        usable = [lot for lot in made if lot.remaining and (lot.expires_at is None or lot.expires_at > NOW)]
        enough = any(lot.remaining < 0 for lot in usable) or sum(lot.remaining for lot in usable) >= units
        if not enough:
            with pytest.raises(InsufficientCredits):
                choose(pages, units=units, service="ai-chat", now=NOW)
            return
        takes = choose(pages, units=units, service="ai-chat", now=NOW)
        taken = [take.lot for take in takes]
        assert sum(take.units for take in takes) == units
        assert len({lot.id for lot in taken}) == len(taken)
        for take in takes:
            assert take.lot in take.balance.lots
            assert take.lot in usable
            assert 0 < take.units <= (units if take.lot.remaining < 0 else take.lot.remaining)
        assert all(take.units == take.lot.remaining for take in takes[:-1])
        for lot in usable:
            if lot not in taken:
                assert not sooner(lot, taken[-1])
        assert not any(sooner(later, earlier) for earlier, later in pairwise(taken))


def sooner(one: Lot, other: Lot) -> bool:
    """Whether D28 has one used before the other, said without a sort key."""
    if (one.remaining < 0) != (other.remaining < 0):
        return one.remaining < 0
    if one.expires_at != other.expires_at:
        if one.expires_at is None or other.expires_at is None:
            return one.expires_at is not None
        return one.expires_at < other.expires_at
    return one.created_at < other.created_at


class TestAvailable:
    def test_is_what_can_be_used_now(self) -> None:
        assert available([a_lot("a", 3), a_lot("b", 4, expires_in=1), a_lot("c", 9, expires_in=0)], NOW) == 7

    def test_is_minus_one_where_a_usable_lot_is_unlimited(self) -> None:
        assert available([a_lot("a", 3), a_lot("b", -1, expires_in=1)], NOW) == -1
        assert available([a_lot("a", 3), a_lot("b", -1, expires_in=0)], NOW) == 3

    def test_of_nothing_is_nothing(self) -> None:
        assert available([], NOW) == 0
