"""The ledger's writes: units are given, taken and given back by conditions, and every refusal leaves nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from msgspec import to_builtins

from chalicelib.books.ledger import chain, pool_store, queries, store
from chalicelib.books.ledger.burn import Take, choose
from chalicelib.books.ledger.entries import portion_of
from chalicelib.books.ledger.model import LOTS_PER_PAGE_MAX, Balance, Entry, EntryKind, Grant, Holder, SetRef
from chalicelib.books.ledger.rows import read_balance
from chalicelib.books.ledger.store import Moved, PageFull
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Put, Unexpected, Write, absent, commit, never
from chalicelib.kernel.errors import Defect
from tests.billing_rows import NOW, USER, a_grant, a_unit
from tests.moto_table import all_rows
from tests.refusals import assert_refused

ADA, TEAM = Holder.person(USER), Holder.team(88)
UNIT = a_unit()
SOON = NOW + timedelta(seconds=10)


def granting(*grants: Grant, page: int = 0) -> list[Write]:
    return store.grant_writes(ADA, UNIT, grants, page=page, now=NOW, cause="invoice:1")


def grant(table: Table, *grants: Grant, page: int = 0) -> None:
    commit(table, granting(*grants, page=page))


def the_page(table: Table, number: int = 0) -> Balance:
    found = queries.page(table, ADA, UNIT, number)
    assert found is not None
    return found


def left(table: Table, number: int = 0) -> dict[str, int]:
    """What each lot of a page has, once its count of lots was found right."""
    row = table.get(store.balance_key(ADA, UNIT, number))
    assert row is not None
    lots = read_balance(ADA, row).lots
    assert row.values["lots"] == len(lots)
    return {lot.id: lot.remaining for lot in lots}


def an_entry(ident: str, takes: Sequence[Take]) -> Entry:
    portions = tuple(portion_of(take) for take in takes)
    units = -sum(portion.units for portion in portions if not portion.unlimited)
    return Entry(
        id=f"{ident}#consume", kind=EntryKind.CONSUME, unit=UNIT, units=units, portions=portions, cause="s", at=NOW
    )


def taking(balance: Balance, units: int, *, ident: str = "s1", now: datetime = NOW) -> list[Write]:
    """Take units of a page as it was read."""
    takes = choose([balance], units=units, service="ai-chat", now=NOW)
    return store.take_writes(ADA, balance, takes, entry=an_entry(ident, takes), now=now)


def take(table: Table, units: int, *, ident: str = "s1") -> Entry:
    commit(table, taking(the_page(table), units, ident=ident))
    entry = queries.entry(table, ADA, f"{ident}#consume")
    assert entry is not None
    return entry


def giving_back(table: Table, entry: Entry, balance: Balance | None = None) -> list[Write]:
    released = entry.model_copy(update={"id": f"{entry.id}#release", "kind": EntryKind.RELEASE, "units": -entry.units})
    return store.give_back_writes(ADA, balance or the_page(table), entry=released)


class TestGrant:
    def test_opens_lots_that_read_back_as_they_were_given(self, table: Table) -> None:
        grants = (a_grant("a", 10, expires_at=SOON), a_grant("b", -1))
        grant(table, *grants)
        page = the_page(table)
        assert (page.holder, page.unit, page.page) == (ADA, UNIT, 0)
        assert [(lot.id, lot.remaining, lot.granted, lot.held, lot.expires_at) for lot in page.lots] == [
            ("a", 10, 10, 0, SOON),
            ("b", -1, -1, 0, None),
        ]
        assert [(lot.created_at, lot.origin) for lot in page.lots] == [(NOW, one.origin) for one in grants]
        assert left(table) == {"a": 10, "b": -1}

    def test_writes_an_entry_of_what_can_be_counted(self, table: Table) -> None:
        grant(table, a_grant("a", 10), a_grant("b", -1), a_grant("c", 5))
        entry = queries.entry(table, ADA, "a#grant")
        assert entry is not None
        assert (entry.kind, entry.units, entry.cause) == (EntryKind.GRANT, 15, "invoice:1")
        assert [(portion.lot_id, portion.units, portion.unlimited) for portion in entry.portions] == [
            ("a", 10, False),
            ("b", 0, True),
            ("c", 5, False),
        ]

    def test_twice_is_a_defect(self, table: Table) -> None:
        grant(table, a_grant("a"))
        assert_refused(table, granting(a_grant("a")), Defect, "granted before")
        assert_refused(table, granting(a_grant("new"), a_grant("a")), Defect, "granted before")

    def test_twice_is_a_defect_also_of_a_lot_that_is_used_up(self, table: Table) -> None:
        grant(table, a_grant("a", 3))
        take(table, 3)
        assert_refused(table, granting(a_grant("a", 3)), Unexpected, "the entry a#grant follows from its cause")

    def test_twice_is_a_defect_also_on_another_page(self, table: Table) -> None:
        grant(table, a_grant("a", 3))
        assert_refused(table, granting(a_grant("a", 3), page=1), Unexpected, "the entry a#grant follows from its cause")

    def test_goes_to_the_next_page_where_one_is_full(self, table: Table) -> None:
        grant(table, *(a_grant(f"l{number}", 1) for number in range(LOTS_PER_PAGE_MAX - 1)))
        assert_refused(table, granting(a_grant("x"), a_grant("y")), PageFull)
        grant(table, a_grant("last", 1))
        assert len(left(table)) == LOTS_PER_PAGE_MAX
        assert_refused(table, granting(a_grant("over")), PageFull)
        grant(table, a_grant("over"), page=1)
        assert left(table, 1) == {"over": 10}
        assert [page.page for page in queries.balances(table, ADA)] == [0, 1]

    def test_takes_the_place_of_a_lot_that_was_used_up(self, table: Table) -> None:
        grant(table, *(a_grant(f"l{number}", 1) for number in range(LOTS_PER_PAGE_MAX)))
        take(table, 1)
        grant(table, a_grant("over"))
        assert len(left(table)) == LOTS_PER_PAGE_MAX

    def test_of_another_set_is_another_account(self, table: Table) -> None:
        grant(table, a_grant("a"))
        for_a_set = a_unit(set=SetRef(kind="cohort", id=5, slug="c"))
        commit(table, store.grant_writes(ADA, for_a_set, (a_grant("b"),), page=0, now=NOW, cause="x"))
        assert sorted(page.unit.name for page in queries.balances(table, ADA)) == ["4#93#-", "4#93#cohort.5"]


class TestTake:
    def test_leaves_what_is_left(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        entry = take(table, 4)
        assert left(table) == {"a": 6}
        assert (entry.units, [(portion.lot_id, portion.units) for portion in entry.portions]) == (-4, [("a", 4)])

    def test_of_the_last_unit_closes_the_lot(self, table: Table) -> None:
        grant(table, a_grant("a", 4), a_grant("b", 4, expires_at=SOON))
        take(table, 5)
        assert left(table) == {"a": 3}
        take(table, 3, ident="s2")
        assert left(table) == {}

    def test_of_more_than_is_left_by_now_is_refused(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        read_before = the_page(table)
        take(table, 4)
        assert_refused(table, taking(read_before, 7, ident="s2"), Moved)
        assert_refused(table, taking(read_before, 10, ident="s2"), Moved)
        commit(table, taking(read_before, 6, ident="s2"))
        assert left(table) == {"a": 0}

    def test_of_a_lot_that_is_closed_by_now_is_refused(self, table: Table) -> None:
        grant(table, a_grant("a", 3), a_grant("b", 3))
        read_before = the_page(table)
        take(table, 3)
        assert left(table) == {"b": 3}
        assert_refused(table, taking(read_before, 3, ident="s2"), Moved)
        assert_refused(table, taking(read_before, 4, ident="s2"), Moved)

    def test_clears_away_what_others_emptied(self, table: Table) -> None:
        grant(table, a_grant("a", 10, expires_at=SOON), a_grant("b", 5))
        read_before = the_page(table)
        take(table, 4)
        commit(table, taking(read_before, 6, ident="s2"))
        assert left(table) == {"a": 0, "b": 5}
        take(table, 1, ident="s3")
        assert left(table) == {"b": 4}

    def test_clears_nothing_away_that_was_given_back_meanwhile(self, table: Table) -> None:
        grant(table, a_grant("a", 10, expires_at=SOON), a_grant("b", 5))
        read_before = the_page(table)
        entry = take(table, 4)
        commit(table, taking(read_before, 6, ident="s2"))
        with_the_empty_one = the_page(table)
        commit(table, giving_back(table, entry))
        assert_refused(table, taking(with_the_empty_one, 1, ident="s3"), Moved)
        assert left(table) == {"a": 4, "b": 5}

    @pytest.mark.parametrize("units", [1, 10])
    def test_of_a_lot_that_has_expired_by_now_is_refused(self, table: Table, units: int) -> None:
        grant(table, a_grant("a", 10, expires_at=SOON))
        page = the_page(table)
        assert_refused(table, taking(page, units, now=SOON), Moved)
        commit(table, taking(page, units, now=SOON - timedelta(microseconds=1)))

    def test_of_an_unlimited_lot_changes_nothing_but_is_written_down(self, table: Table) -> None:
        grant(table, a_grant("a", -1), a_grant("b", 5))
        commit(table, taking(the_page(table), 1000))
        assert left(table) == {"a": -1, "b": 5}
        entry = queries.entry(table, ADA, "s1#consume")
        assert entry is not None
        assert (entry.units, entry.portions[0].unlimited, entry.portions[0].units) == (0, True, 1000)

    def test_of_an_unlimited_lot_that_has_expired_by_now_is_refused(self, table: Table) -> None:
        grant(table, a_grant("a", -1, expires_at=SOON))
        assert_refused(table, taking(the_page(table), 1, now=SOON), Moved)

    def test_of_a_page_that_is_not_there_is_refused(self, table: Table) -> None:
        grant(table, a_grant("a", 10), page=0)
        elsewhere = the_page(table).model_copy(update={"page": 1})
        for units in (1, 10):
            assert_refused(table, taking(elsewhere, units), Moved)

    def test_is_written_down_once(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        take(table, 4)
        assert_refused(table, taking(the_page(table), 4), Unexpected, "the entry s1#consume follows from its cause")


class TestGiveBack:
    def test_to_an_open_lot_adds_to_it(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        entry = take(table, 4)
        take(table, 1, ident="s2")
        commit(table, giving_back(table, entry))
        assert left(table) == {"a": 9}

    def test_to_a_closed_lot_opens_it_as_it_was(self, table: Table) -> None:
        grant(table, a_grant("a", 4, expires_at=SOON), a_grant("b", 9))
        before = {lot.id: lot for lot in the_page(table).lots}
        entry = take(table, 6)
        assert left(table) == {"b": 7}
        commit(table, giving_back(table, entry))
        assert {lot.id: lot for lot in the_page(table).lots} == before
        assert left(table) == {"a": 4, "b": 9}

    def test_to_a_lot_that_was_closed_meanwhile_is_refused(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        entry = take(table, 4)
        read_before = the_page(table)
        take(table, 6, ident="s2")
        assert_refused(table, giving_back(table, entry, read_before), Moved)
        commit(table, giving_back(table, entry))
        assert left(table) == {"a": 4}

    def test_to_a_lot_that_was_opened_meanwhile_is_refused(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        first, second = take(table, 4), take(table, 6, ident="s2")
        read_before = the_page(table)
        commit(table, giving_back(table, second))
        assert_refused(table, giving_back(table, first, read_before), Moved)
        commit(table, giving_back(table, first))
        assert left(table) == {"a": 10}

    def test_of_what_does_not_say_what_it_was_is_a_defect(self, table: Table) -> None:
        grant(table, a_grant("a", 4))
        entry = take(table, 4)
        portions = tuple(portion.model_copy(update={"origin": None}) for portion in entry.portions)
        with pytest.raises(Defect, match="does not say what the lot was"):
            giving_back(table, entry.model_copy(update={"portions": portions}))


class TestPools:
    def test_are_used_beside_what_is_ones_own(self, table: Table) -> None:
        grant(table, a_grant("mine", 1))
        commit(table, store.grant_writes(TEAM, UNIT, (a_grant("ours", 2),), page=0, now=NOW, cause="x"))
        assert [page.holder for page in queries.balances(table, ADA)] == [ADA]
        commit(table, [pool_store.pool_write(ADA, TEAM)])
        assert [page.holder for page in queries.balances(table, ADA)] == [ADA, TEAM]
        assert [page.holder for page in queries.own_balances(table, ADA)] == [ADA]

    def test_are_opened_once(self, table: Table) -> None:
        commit(table, [pool_store.pool_write(ADA, TEAM)])
        assert_refused(table, [pool_store.pool_write(ADA, TEAM)], Unexpected, "opened with its subscription")


class TestEntries:
    def test_sum_to_what_the_lots_have(self, table: Table) -> None:
        grant(table, a_grant("a", 10), a_grant("b", 4, expires_at=SOON))
        grant(table, a_grant("c", 7))
        for number, units in enumerate((5, 3, 9)):
            take(table, units, ident=f"s{number}")
        page = queries.entries(table, ADA, limit=50)
        assert sum(entry.units for entry in page.items) == sum(left(table).values()) == 4
        assert len(page.items) == 5

    def test_are_written_once(self, table: Table) -> None:
        grant(table, a_grant("a", -1))
        entry = take(table, 1)
        commit(table, giving_back(table, entry))
        assert_refused(table, giving_back(table, entry), Unexpected, "s1#consume#release")
        assert len(all_rows(table)) == 4


class TestTheChain:
    def test_links_each_entry_to_the_one_before(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        first = take(table, 1)
        second = take(table, 2, ident="s2")
        found = {one.id: one for one in queries.history(table, ADA)}
        assert found["a#grant"].parents == ()
        assert (found["s1#consume"].parents, first.parents) == ((found["a#grant"].hash,),) * 2
        assert (found["s2#consume"].parents, second.parents) == ((found["s1#consume"].hash,),) * 2
        assert the_page(table).heads == (found["s2#consume"].hash,)

    def test_joins_those_that_were_written_at_once(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        read_by_both = the_page(table)
        commit(table, taking(read_by_both, 1))
        commit(table, taking(read_by_both, 1, ident="s2"))
        one, two = (row.hash for row in queries.history(table, ADA) if row.id.startswith("s"))
        assert set(the_page(table).heads) == {one, two}
        assert take(table, 1, ident="s3").parents == tuple(sorted((str(one), str(two))))
        assert len(the_page(table).heads) == 1

    def test_covers_who_holds_the_account(self, table: Table) -> None:
        grant(table, a_grant("a", 10))
        (entry,) = queries.history(table, ADA)
        assert entry.hash == chain.digest(chain.content(ADA, entry.doc))
        assert entry.hash != chain.digest(chain.content(TEAM, entry.doc))

    def test_reads_entries_that_are_older_than_it(self, table: Table) -> None:
        entry = an_entry("old", ())
        old = json.dumps({name: value for name, value in to_builtins(entry).items() if name != "parents"})
        commit(
            table,
            [Put(key=store.entry_key(ADA, entry.id), values={"doc": old}, condition=absent, refused=never("new"))],
        )
        assert queries.entry(table, ADA, entry.id) == entry
        (recorded,) = queries.history(table, ADA)
        assert (recorded.hash, recorded.parents) == (None, ())
