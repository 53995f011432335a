"""Open lots end at other times: once for each cause, whatever is left in them, and never over another change."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from chalicelib.books.ledger import queries, store
from chalicelib.books.ledger.model import Balance, EntryKind
from chalicelib.books.ledger.reversal import Target, reversal
from chalicelib.books.ledger.store import Moved
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Unexpected, Write, commit
from tests.billing_rows import NOW, a_grant
from tests.refusals import assert_refused
from tests.stores.test_ledger_store import ADA, SOON, giving_back, grant, left, take, taking, the_page

LATER = NOW + timedelta(days=30)


def retiming(balance: Balance, ident: str = "r1", **ends: datetime | None) -> list[Write]:
    return store.retime_writes(ADA, balance, ends, entry_id=f"{ident}#retime", cause="subscription:1", now=NOW)


def ends(table: Table) -> dict[str, datetime | None]:
    return {lot.id: lot.expires_at for lot in the_page(table).lots}


class TestRetime:
    def test_changes_when_the_named_lots_end_and_nothing_else(self, table: Table) -> None:
        grant(table, a_grant("a", 10, expires_at=SOON), a_grant("b", -1), a_grant("c", 5, expires_at=SOON))
        before = {lot.id: lot for lot in the_page(table).lots}
        commit(table, retiming(the_page(table), a=LATER, b=SOON))
        assert ends(table) == {"a": LATER, "b": SOON, "c": SOON}
        assert before == {
            lot.id: lot.model_copy(update={"expires_at": before[lot.id].expires_at}) for lot in the_page(table).lots
        }
        assert left(table) == {"a": 10, "b": -1, "c": 5}
        entry = queries.entry(table, ADA, "r1#retime")
        assert entry is not None
        assert (entry.kind, entry.units, entry.cause) == (EntryKind.RETIME, 0, "subscription:1")
        portions = [(one.lot_id, one.units, one.unlimited, one.expires_at) for one in entry.portions]
        assert portions == [("a", 0, False, LATER), ("b", 0, True, SOON)]

    def test_lets_a_lot_that_has_expired_be_used_again(self, table: Table) -> None:
        grant(table, a_grant("a", 10, expires_at=SOON))
        assert_refused(table, taking(the_page(table), 1, now=LATER - timedelta(days=1)), Moved)
        commit(table, retiming(the_page(table), a=LATER))
        commit(table, taking(the_page(table), 1, now=LATER - timedelta(days=1)))
        assert left(table) == {"a": 9}

    def test_ends_a_lot_at_once(self, table: Table) -> None:
        grant(table, a_grant("a", 10), a_grant("b", 10))
        read_before = the_page(table)
        commit(table, retiming(the_page(table), a=NOW - timedelta(days=1), b=None))
        assert_refused(table, taking(read_before, 1), Moved)
        assert ends(table) == {"a": NOW - timedelta(days=1), "b": None}

    def test_keeps_whole_seconds(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        commit(table, retiming(the_page(table), a=LATER.replace(microsecond=999_999)))
        entry = queries.entry(table, ADA, "r1#retime")
        assert entry is not None and entry.portions[0].expires_at == LATER == ends(table)["a"]

    def test_does_nothing_where_all_end_so_already(self, table: Table) -> None:
        grant(table, a_grant("a", 10, expires_at=LATER), a_grant("b", 10))
        assert retiming(the_page(table), a=LATER.replace(microsecond=5), b=None) == []
        commit(table, retiming(the_page(table), a=LATER, b=LATER))
        entry = queries.entry(table, ADA, "r1#retime")
        assert entry is not None and [portion.lot_id for portion in entry.portions] == ["b"]

    def test_does_not_mind_uses_meanwhile(self, table: Table) -> None:
        grant(table, a_grant("a", 10), a_grant("b", 3))
        read_before = the_page(table)
        used = take(table, 4)
        commit(table, retiming(read_before, a=LATER))
        commit(table, giving_back(table, used))
        assert (left(table), ends(table)) == ({"a": 10, "b": 3}, {"a": LATER, "b": None})

    def test_of_a_lot_that_was_retimed_since_is_refused(self, table: Table) -> None:
        grant(table, a_grant("a", 10), a_grant("b", 10))
        read_before = the_page(table)
        commit(table, retiming(read_before, a=LATER))
        assert_refused(table, retiming(read_before, "r2", a=SOON), Moved)
        assert_refused(table, retiming(read_before, "r2", b=SOON), Moved)
        commit(table, retiming(the_page(table), "r2", a=None))
        assert_refused(table, retiming(read_before, "r3", a=SOON), Moved)

    def test_of_a_lot_that_is_closed_by_now_is_refused(self, table: Table) -> None:
        grant(table, a_grant("a", 3), a_grant("b", 3))
        read_before = the_page(table)
        take(table, 3)
        assert_refused(table, retiming(read_before, a=LATER, b=LATER), Moved)
        with pytest.raises(Moved):
            retiming(the_page(table), a=LATER)

    def test_is_done_once(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        commit(table, retiming(the_page(table), a=LATER))
        assert_refused(
            table, retiming(the_page(table), a=SOON), Unexpected, "the entry r1#retime follows from its cause"
        )

    def test_meanwhile_refuses_whoever_empties_the_lot_as_it_was(self, table: Table) -> None:
        """A lot that is closed is made again as its last entry says."""
        grant(table, a_grant("a", 3), a_grant("b", 3))
        read_before = the_page(table)
        commit(table, retiming(the_page(table), a=LATER))
        assert_refused(table, taking(read_before, 3), Moved)
        commit(table, taking(read_before, 2))
        entry = take(table, 1, ident="s2")
        commit(table, giving_back(table, entry))
        assert ends(table) == {"a": LATER, "b": None}

    def test_refuses_a_reversal_that_read_the_page_before(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        granted = queries.entry(table, ADA, "a#grant")
        assert granted is not None

        def reversing(page: Balance, target: Target) -> list[Write]:
            one = reversal(granted, page, target, invoice_id=1, reversed_before=0)
            return store.reversal_writes(ADA, [one], cause="invoice:1", version=len(page.heads) + page.turns, now=NOW)

        read_before = the_page(table)
        commit(table, retiming(read_before, a=LATER))
        assert_refused(table, reversing(read_before, Target(due=4)), Moved)
        read_before = the_page(table)
        commit(table, reversing(read_before, Target(due=4, ends_at=SOON)))
        assert_refused(table, retiming(read_before, "r2", a=None), Moved)
        assert ends(table) == {"a": SOON}
        (lot,) = the_page(table).lots
        assert (lot.cut_short, lot.own_end) == (True, LATER)
        commit(table, retiming(the_page(table), "r2", a=None))
        (lot,) = the_page(table).lots
        assert (lot.cut_short, lot.own_end) == (False, None)

    def test_is_linked_like_every_entry(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        head = the_page(table).heads
        commit(table, retiming(the_page(table), a=LATER))
        entry = queries.entry(table, ADA, "r1#retime")
        assert entry is not None and entry.parents == head
        assert the_page(table).heads == tuple(row.hash for row in queries.history(table, ADA) if row.id == "r1#retime")
