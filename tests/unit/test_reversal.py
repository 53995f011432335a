"""What refunds leave of a grant: any sequence of uses, refunds, disputes and failed refunds adds up."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.books.ledger.entries import grant_entry
from chalicelib.books.ledger.model import Balance, Entry, Lot, Owed
from chalicelib.books.ledger.reversal import Reversal, Target, reversal
from tests.billing_rows import NOW, a_grant, a_unit

UNIT = a_unit()
LATER = NOW + timedelta(days=30)
SIZES = (6, 4)


def granted(*sizes: int) -> Entry:
    """A grant of lots a, b, ...; the first to expire is the last."""
    grants = [
        a_grant(chr(ord("a") + number), size, expires_at=LATER - timedelta(days=number))
        for number, size in enumerate(sizes)
    ]
    return grant_entry(UNIT, grants, page=0, now=NOW, cause="invoice:1")


def lots_of(grant: Entry, **left: int) -> tuple[Lot, ...]:
    """The open lots, with so many units left in each; what is not named is closed."""
    return tuple(
        Lot(
            id=portion.lot_id,
            remaining=left[portion.lot_id],
            granted=portion.granted,
            expires_at=portion.expires_at,
            created_at=NOW,
            origin=a_grant().origin,
        )
        for portion in grant.portions
        if portion.lot_id in left
    )


def a_page(lots: tuple[Lot, ...], *owed: Owed, disputed: bool = False) -> Balance:
    invoices = (1,) if disputed else ()
    return Balance(holder_kind="USER", holder_id=1, unit=UNIT, page=0, lots=lots, owed=owed, disputed=invoices)


def after(page: Balance, one: Reversal) -> Balance:
    """The page once the reversal is written."""
    changed = {change.portion.lot_id for change in one.lots}
    kept = [lot for lot in page.lots if lot.id not in changed] + [c.after for c in one.lots if c.after is not None]
    return a_page(tuple(kept), *([one.owed] if one.owed.units else []), disputed=one.frozen)


def units(page: Balance) -> dict[str, int]:
    return {lot.id: lot.remaining for lot in page.lots}


class TestReversal:
    def test_takes_from_the_lots_that_expire_first(self) -> None:
        grant = granted(6, 4)
        page = a_page(lots_of(grant, a=6, b=4))
        one = reversal(grant, page, Target(due=5), invoice_id=1, reversed_before=0)
        assert (units(after(page, one)), one.moved, one.owed.units) == ({"a": 5}, 5, 0)
        assert {portion.lot_id: portion.units for portion in one.portions} == {"b": 4, "a": 1}

    def test_owes_what_was_spent(self) -> None:
        grant = granted(10)
        page = a_page(lots_of(grant, a=3))
        one = reversal(grant, page, Target(due=5), invoice_id=1, reversed_before=0)
        assert (units(after(page, one)), one.moved, one.owed.units) == ({}, 3, 2)

    def test_a_failed_refund_gives_back_what_it_took_and_forgets_what_is_owed(self) -> None:
        grant = granted(10)
        page = a_page(lots_of(grant, a=3))
        taken = after(page, reversal(grant, page, Target(due=5), invoice_id=1, reversed_before=0))
        back = reversal(grant, taken, Target(due=0), invoice_id=1, reversed_before=5)
        assert (units(after(taken, back)), back.moved, back.owed.units) == ({"a": 3}, -3, 0)

    def test_of_two_refunds_one_may_fail(self) -> None:
        grant = granted(10)
        page = a_page(lots_of(grant, a=6))
        both = after(page, reversal(grant, page, Target(due=10), invoice_id=1, reversed_before=0))
        assert [owed.units for owed in both.owed] == [4]
        one = reversal(grant, both, Target(due=5), invoice_id=1, reversed_before=10)
        assert (units(after(both, one)), one.owed.units) == ({"a": 1}, 0)

    @pytest.mark.parametrize(
        ("due", "revoked", "unspent", "taken", "owed"),
        [(10, 4, 6, 6, 0), (10, 4, 3, 3, 3), (5, 4, 6, 1, 0), (5, 7, 3, 0, 0), (10, 10, 0, 0, 0), (0, 4, 6, 0, 0)],
    )
    def test_takes_that_much_less_as_staff_took(
        self, due: int, revoked: int, unspent: int, taken: int, owed: int
    ) -> None:
        grant = granted(10)
        page = a_page(lots_of(grant, **({"a": unspent} if unspent else {})))
        one = reversal(grant, page, Target(due=due, revoked=revoked), invoice_id=1, reversed_before=0)
        assert (one.moved, one.owed.units) == (taken, owed)

    def test_undoes_nothing_where_staff_took_some_of_the_rest(self) -> None:
        grant = granted(10)
        page = a_page(lots_of(grant, a=2))  # five were taken back, then staff took three
        one = reversal(grant, page, Target(due=5, revoked=3), invoice_id=1, reversed_before=5)
        assert one.changes is False
        rest = reversal(grant, page, Target(due=10, revoked=3), invoice_id=1, reversed_before=5)
        assert (rest.moved, rest.owed.units) == (2, 0)
        failed = reversal(grant, page, Target(due=0, revoked=3), invoice_id=1, reversed_before=5)
        assert failed.moved == -5

    def test_freezes_all_that_is_left_and_thaws_it(self) -> None:
        grant = granted(6, 4)
        page = a_page(lots_of(grant, a=6, b=1))
        frozen = after(page, reversal(grant, page, Target(due=0, frozen=True), invoice_id=1, reversed_before=0))
        assert [(lot.remaining, lot.frozen) for lot in frozen.lots] == [(0, 6), (0, 1)]
        assert reversal(grant, frozen, Target(due=0, frozen=True), invoice_id=1, reversed_before=0).changes is False
        thawed = after(frozen, reversal(grant, frozen, Target(due=0), invoice_id=1, reversed_before=0))
        assert thawed == page

    def test_a_lost_dispute_takes_out_of_what_is_frozen(self) -> None:
        grant = granted(10)
        page = a_page(lots_of(grant, a=8))
        frozen = after(page, reversal(grant, page, Target(due=0, frozen=True), invoice_id=1, reversed_before=0))
        lost = reversal(grant, frozen, Target(due=10), invoice_id=1, reversed_before=0)
        assert (units(after(frozen, lost)), lost.moved, lost.owed.units) == ({}, 8, 2)

    @pytest.mark.parametrize("frozen", [False, True])
    def test_ends_unlimited_lots_only_where_they_end(self, frozen: bool) -> None:
        grant = granted(-1)
        page = a_page(lots_of(grant, a=-1))
        kept = reversal(grant, page, Target(due=0, frozen=frozen), invoice_id=1, reversed_before=0)
        assert [(lot.remaining, lot.frozen) for lot in after(page, kept).lots] == [(0, -1) if frozen else (-1, 0)]
        ended = reversal(grant, page, Target(due=0, ended=True), invoice_id=1, reversed_before=0)
        assert after(page, ended).lots == () and [portion.unlimited for portion in ended.portions] == [True]
        again = reversal(grant, after(page, ended), Target(due=0), invoice_id=1, reversed_before=0)
        assert units(after(after(page, ended), again)) == {"a": -1}

    def test_ends_what_is_left_with_the_access(self) -> None:
        grant = granted(10)
        page = a_page(lots_of(grant, a=10))
        one = reversal(grant, page, Target(due=5, ends_at=NOW), invoice_id=1, reversed_before=0)
        assert [(lot.remaining, lot.expires_at) for lot in after(page, one).lots] == [(5, NOW)]
        back = reversal(grant, after(page, one), Target(due=5), invoice_id=1, reversed_before=5)
        assert [lot.expires_at for lot in after(page, back).lots] == [LATER]

    @pytest.mark.parametrize("retimed", [None, NOW, LATER + timedelta(days=300)])
    def test_leaves_a_lot_that_was_retimed_as_it_is(self, retimed: datetime | None) -> None:
        """Also where its refund fails, and where it is frozen and thawed."""
        grant = granted(10)
        (lot,) = lots_of(grant, a=10)
        page = a_page((lot.model_copy(update={"expires_at": retimed}),))
        done = after(page, reversal(grant, page, Target(due=4, frozen=True), invoice_id=1, reversed_before=0))
        back = after(done, reversal(grant, done, Target(due=0), invoice_id=1, reversed_before=4))
        ends = [(lot.expires_at, lot.cut_short) for one in (done, back) for lot in one.lots]
        assert ends == [(retimed, False), (retimed, False)]

    def test_ends_a_lot_that_was_retimed_with_the_access_and_gives_it_its_own_end_back(self) -> None:
        grant = granted(10)
        (lot,) = lots_of(grant, a=10)
        own = LATER + timedelta(days=300)
        page = a_page((lot.model_copy(update={"expires_at": own}),))
        done = after(page, reversal(grant, page, Target(due=0, ends_at=NOW), invoice_id=1, reversed_before=0))
        again = after(done, reversal(grant, done, Target(due=2, ends_at=NOW), invoice_id=1, reversed_before=0))
        back = after(again, reversal(grant, again, Target(due=0), invoice_id=1, reversed_before=2))
        ends = [(lot.expires_at, lot.own_end) for one in (done, again, back) for lot in one.lots]
        assert ends == [(NOW, own), (NOW, own), (own, own)]

    @settings(max_examples=300, deadline=None)
    @given(
        st.lists(st.tuples(st.sampled_from(["use", "due", "freeze", "thaw"]), st.integers(0, 10)), max_size=12),
        st.booleans(),
    )
    def test_whatever_happens_units_add_up(self, steps: list[tuple[str, int]], collect: bool) -> None:
        grant = granted(*SIZES)
        page, due, frozen, used = a_page(lots_of(grant, a=SIZES[0], b=SIZES[1])), 0, False, 0
        for step, number in steps:
            if step == "use":
                usable = [lot for lot in page.lots if lot.remaining >= number > 0]
                if usable:
                    lot = usable[0]
                    used += number
                    left = lot.model_copy(update={"remaining": lot.remaining - number})
                    others = [one for one in page.lots if one.id != lot.id]
                    page = a_page((*others, *([left] if left.remaining else [])), *page.owed, disputed=frozen)
                continue
            before = due
            due = number if step == "due" else due
            frozen = step == "freeze" or (frozen and step != "thaw")
            target = Target(due=due, frozen=frozen, collect=collect)
            one = reversal(grant, page, target, invoice_id=1, reversed_before=before)
            page = after(page, one)
            have = sum(lot.remaining + lot.frozen for lot in page.lots)
            assert have + one.taken + used == sum(SIZES)
            assert one.taken + one.owed.units == due
            assert have == max(0, sum(SIZES) - used - due)
            assert all(0 <= lot.remaining + lot.frozen <= lot.granted for lot in page.lots)
            assert all((lot.frozen == 0) != frozen for lot in page.lots)
            assert reversal(grant, page, target, invoice_id=1, reversed_before=due).changes is False
