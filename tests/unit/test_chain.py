"""How entries are linked: which parents one takes, what its hash is of, and what leads where."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.books.ledger.chain import Recorded, content, digest, reached, seal, unlinked
from chalicelib.books.ledger.model import Entry, EntryKind, Holder, Unit
from chalicelib.flows.statement.statement import accounts, in_order

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ADA = Holder.person(7)
UNIT = Unit(academy_id=4, service_id=52, service_slug="mentoring", service_type="VOID")
HEADS = [f"{number:064x}" for number in range(40)]


def an_entry(ident: str = "70_0#consume") -> Entry:
    return Entry(id=ident, kind=EntryKind.CONSUME, unit=UNIT, units=-1, portions=(), cause="session:70", at=NOW)


def recorded(ident: str, *parents: str, minute: int = 0, hashed: bool = True) -> Recorded:
    """An entry whose hash is its id."""
    return Recorded(
        id=ident,
        account=UNIT.name,
        units=1,
        at=NOW + timedelta(minutes=minute),
        parents=parents,
        hash=ident if hashed else None,
        doc="{}",
    )


class TestSeal:
    def test_names_every_head_that_was_read_in_order(self) -> None:
        sealed = seal(ADA, HEADS[15::-1], an_entry())
        assert sealed.parents == tuple(HEADS[:16])
        assert json.loads(sealed.doc)["parents"] == HEADS[:16]

    def test_names_sixteen_of_more(self) -> None:
        parents = seal(ADA, HEADS, an_entry()).parents
        assert (len(parents), list(parents)) == (16, sorted(parents))

    def test_lets_writers_who_saw_the_same_choose_otherwise(self) -> None:
        chosen = {
            parent for number in range(20) for parent in seal(ADA, HEADS, an_entry(f"{number}_0#consume")).parents
        }
        assert chosen == set(HEADS)

    def test_hashes_what_it_stores_with_whose_it_is(self) -> None:
        sealed = seal(ADA, (), an_entry())
        assert content(ADA, sealed.doc) == {**json.loads(sealed.doc), "holder": "USER#7"}
        assert sealed.hash == digest({"holder": "USER#7", **json.loads(sealed.doc)})
        assert sealed.hash != seal(Holder.team(7), (), an_entry()).hash

    def test_stores_nothing_that_is_null(self) -> None:
        assert "null" not in seal(ADA, (), an_entry()).doc


class TestDigest:
    def test_is_of_canonical_json(self) -> None:
        """`printf '{"a":"é","b":[1,true]}' | sha256sum`"""
        expected = "4cfe375505341a795919ae919b0f726bc2f6d3a426822a940384413dc1c22bc1"
        assert digest({"b": [1, True], "a": "é"}) == digest({"a": "é", "b": [1, True]}) == expected


class TestReached:
    def test_are_the_heads_and_all_before_them(self) -> None:
        entries = [recorded("a"), recorded("b", "a"), recorded("c", "a"), recorded("d", "b", "c"), recorded("e", "d")]
        assert reached(entries, ["d"]) == {"a", "b", "c", "d"}
        assert [one.id for one in unlinked(entries, ["d"])] == ["e"]

    def test_ends_where_an_entry_is_not_there(self) -> None:
        assert reached([recorded("b", "a")], ["b"]) == {"a", "b"}

    def test_does_not_look_at_entries_without_a_hash(self) -> None:
        assert unlinked([recorded("a", hashed=False)], []) == []


class TestOrder:
    def ordered(self, *entries: Recorded) -> str:
        for given in (entries, entries[::-1]):
            found = "".join(entry.id for entry in in_order(given))
        return found

    def test_is_by_time_then_by_id(self) -> None:
        assert self.ordered(recorded("b"), recorded("a"), recorded("c", minute=-1)) == "cab"

    def test_puts_none_before_what_it_names_whatever_its_clock_says(self) -> None:
        assert self.ordered(recorded("a", minute=9), recorded("b", "a", minute=1), recorded("c", minute=2)) == "cab"

    def test_shows_a_circle_too(self) -> None:
        assert self.ordered(recorded("b", "a"), recorded("a", "b"), recorded("c")) == "cab"

    def test_takes_entries_without_a_hash_by_their_time(self) -> None:
        entries = (recorded("b", hashed=False, minute=1), recorded("a", hashed=False), recorded("c", "a", minute=-1))
        assert self.ordered(*entries) == "cab"


class TestAccounts:
    @pytest.mark.parametrize(("after", "shown"), [(0, 1), (1, 0)])
    def test_show_what_is_of_that_moment_or_later(self, after: int, shown: int) -> None:
        doc = seal(ADA, (), an_entry()).doc
        entry = Recorded(id="a", account=UNIT.name, units=-1, at=NOW, parents=(), hash="a", doc=doc)
        (found,) = accounts(ADA, [entry], [], since=NOW + timedelta(microseconds=after))
        assert (len(found.lines), found.opening, found.balance) == (shown, shown - 1, -1)
