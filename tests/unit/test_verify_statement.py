"""Whoever changes a statement is found, whatever is changed, also where its digest is made to fit again."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from chalicelib.books.billing.model import InvoiceStatus
from chalicelib.books.ledger import chain
from chalicelib.books.ledger.chain import Recorded
from chalicelib.books.ledger.model import (
    SIGNS,
    Balance,
    Entry,
    EntryKind,
    Holder,
    Lot,
    Origin,
    Portion,
    SetRef,
    Source,
    Unit,
)
from chalicelib.entrypoints.academy.statement_schemas import statement_out
from chalicelib.flows.statement.read import Statement
from chalicelib.flows.statement.statement import accounts
from infra import verify_statement
from tests.billing_rows import an_invoice
from tests.statements import verified, wrong_with

NOW = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
ADA = Holder.person(7)
OF_A_SET = SetRef(kind="cohort", id=5, slug="web-développement")
UNIT = Unit(academy_id=4, service_id=52, service_slug="mentoring", service_type="VOID", set=OF_A_SET)

INVOICES = (an_invoice(id=100, amount=3000, paid_at=NOW), an_invoice(id=101, amount=1, status=InvoiceStatus.REFUNDED))


class Ledger:
    """An account as it comes to be, without a table: entries are linked as the store links them."""

    def __init__(self) -> None:
        self.heads: set[str] = set()
        self.entries: list[Recorded] = []
        self.lots: dict[str, Lot] = {}

    def grant(self, lot_id: str, units: int, *, minute: int, expires_at: datetime | None = None) -> None:
        origin = Origin(source=Source.PURCHASE, invoice_id=100 + minute)
        at = NOW + timedelta(minutes=minute)
        self.lots[lot_id] = Lot(
            id=lot_id, remaining=units, granted=units, expires_at=expires_at, created_at=at, origin=origin
        )
        self.write(EntryKind.GRANT, max(units, 0), (self.portion(lot_id, max(units, 0)),), minute=minute, heads=())

    def portion(self, lot_id: str, units: int) -> Portion:
        lot = self.lots[lot_id]
        return Portion(
            lot_id=lot_id,
            units=units,
            page=0,
            unlimited=lot.granted < 0,
            granted=lot.granted,
            expires_at=lot.expires_at,
            created_at=lot.created_at,
            origin=lot.origin,
        )

    def move(self, kind: EntryKind, minute: int, *, heads: tuple[str, ...] | None = None, **lots: int) -> None:
        sign = SIGNS[kind]
        portions = tuple(self.portion(lot_id, units) for lot_id, units in lots.items())
        for portion in portions:
            lot = self.lots[portion.lot_id]
            if not portion.unlimited:
                changed = lot.remaining + sign * portion.units
                self.lots[lot.id] = lot.model_copy(update={"remaining": changed})
        counted = sum(portion.units for portion in portions if not portion.unlimited)
        self.write(kind, sign * counted, portions, minute=minute, heads=heads)

    def retime(self, lot_id: str, end: datetime | None, *, minute: int) -> None:
        self.lots[lot_id] = self.lots[lot_id].model_copy(update={"expires_at": end})
        self.write(EntryKind.RETIME, 0, (self.portion(lot_id, 0),), minute=minute, heads=None)

    def write(
        self,
        kind: EntryKind,
        units: int,
        portions: tuple[Portion, ...],
        *,
        minute: int,
        heads: tuple[str, ...] | None,
    ) -> None:
        entry = Entry(
            id=f"e{minute}",
            kind=kind,
            unit=UNIT,
            units=units,
            portions=portions,
            cause=f"session:{minute}",
            at=NOW + timedelta(minutes=minute),
        )
        sealed = chain.seal(ADA, self.heads if heads is None else heads, entry)
        self.heads = (self.heads - {*sealed.parents}) | {sealed.hash}
        self.entries.append(Recorded(entry.id, UNIT.name, units, entry.at, sealed.parents, sealed.hash, sealed.doc))

    def statement(self, *, minute: int = 60, since: datetime | None = None) -> Any:
        balance = Balance(
            holder_kind=ADA.kind,
            holder_id=ADA.id,
            unit=UNIT,
            page=0,
            lots=tuple(lot for lot in self.lots.values() if lot.remaining),
            heads=tuple(self.heads),
        )
        shown = accounts(ADA, self.entries, [balance], since=since)
        named = {one for account in shown for line in account.lines for one in line.invoice_ids}
        found = Statement(ADA, shown, [one for one in INVOICES if one.id in named])
        day = None if since is None else since.date()
        at = NOW + timedelta(minutes=minute)
        return msgspec.to_builtins(statement_out(found, academy_id=None, since=day, generated_at=at))


def a_ledger() -> Ledger:
    """Three lots, two uses at once, a use that joined them, one given back, and one of the unlimited lot."""
    made = Ledger()
    made.grant("a", 5, minute=0)
    made.grant("b", 9, minute=1, expires_at=NOW + timedelta(days=30))
    made.grant("c", -1, minute=2)
    read = tuple(made.heads)
    made.move(EntryKind.CONSUME, 3, heads=read, a=2)
    made.move(EntryKind.CONSUME, 4, heads=read, b=1)
    made.move(EntryKind.CONSUME, 5, a=3, b=2)
    made.move(EntryKind.RELEASE, 6, b=2)
    made.move(EntryKind.CONSUME, 8, c=1)
    return made


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each number, text, null and truth in it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, (*path, name))
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from leaves(inner, (*path, place))
    else:
        yield path


def lists(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each list in it."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from lists(inner, (*path, name))
    elif isinstance(value, list):
        yield path
        for place, inner in enumerate(value):
            yield from lists(inner, (*path, place))


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def another(value: Any) -> Any:
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str() if value[:4] == "2026":
            return value.replace("2026", "2027", 1)
        case str():
            return f"{value}1"
        case _:
            return "2026-12-31T00:00:00Z"


def found_in(statement: Any) -> bool:
    try:
        return bool(wrong_with(statement))
    except verify_statement.Unreadable:
        return True


STATEMENT = a_ledger().statement()
LEAVES = list(leaves(STATEMENT["accounts"]))
LISTS = [path for path in lists(STATEMENT["accounts"]) if at(STATEMENT["accounts"], path)]


def name_of(path: tuple[Any, ...]) -> str:
    return ".".join(map(str, path))


class TestWhatWasNotChanged:
    def test_is_right(self, tmp_path: Path) -> None:
        assert wrong_with(STATEMENT, sealed=False) == []
        code, told = verified(tmp_path, STATEMENT)
        assert code == 0
        assert "1 accounts of USER#7, 8 entries, 1 heads, 2 open lots" in told

    def test_is_right_in_text_that_is_written_otherwise(self) -> None:
        assert wrong_with(json.loads(json.dumps(STATEMENT, indent=3, sort_keys=True)), sealed=False) == []

    def test_covers_each_kind_of_thing(self) -> None:
        assert len(LEAVES) > 150
        assert {len(account["entries"]) for account in STATEMENT["accounts"]} == {8}


class TestAnyChange:
    @pytest.mark.parametrize("path", LEAVES, ids=name_of)
    def test_of_a_value_is_found(self, path: tuple[Any, ...]) -> None:
        changed = copy.deepcopy(STATEMENT)
        *way, last = path
        holder = at(changed["accounts"], tuple(way))
        holder[last] = another(holder[last])
        assert found_in(changed)

    @pytest.mark.parametrize("path", LISTS, ids=name_of)
    def test_of_a_list_is_found(self, path: tuple[Any, ...]) -> None:
        size = len(at(STATEMENT["accounts"], path))
        for place in range(size):
            dropped = copy.deepcopy(STATEMENT)
            del at(dropped["accounts"], path)[place]
            if path:  # an account that is left out altogether shows against an older statement only
                assert found_in(dropped), f"without {place}"
            twice = copy.deepcopy(STATEMENT)
            found = at(twice["accounts"], path)
            found.insert(place, copy.deepcopy(found[place]))
            assert found_in(twice), f"{place} twice"

    @pytest.mark.parametrize("place", range(7))
    def test_of_the_order_is_found(self, place: int) -> None:
        changed = copy.deepcopy(STATEMENT)
        entries = changed["accounts"][0]["entries"]
        entries[place], entries[place + 1] = entries[place + 1], entries[place]
        assert found_in(changed)

    def test_of_the_digest_is_found(self) -> None:
        assert wrong_with({**STATEMENT, "digest": "0" * 64}, sealed=False) == [
            "the digest is not that of the statement"
        ]

    @pytest.mark.parametrize("path", [path for path in leaves(STATEMENT) if path[0] != "accounts"], ids=name_of)
    def test_of_a_value_beside_the_accounts_is_found_by_the_digest(self, path: tuple[Any, ...]) -> None:
        changed = copy.deepcopy(STATEMENT)
        *way, last = path
        holder = at(changed, tuple(way))
        holder[last] = another(holder[last])
        try:
            assert wrong_with(changed, sealed=False)
        except verify_statement.Unreadable:
            assert path[0] in ("format", "since")

    def test_of_the_order_or_number_of_invoices_is_found(self) -> None:
        first, second = STATEMENT["invoices"]
        for invoices in ([second, first], [first, first], [first], []):
            assert wrong_with({**STATEMENT, "invoices": invoices}, sealed=False)
        assert wrong_with({**STATEMENT, "invoices": [second, first]}) == ["the invoices are not in order, each once"]
        other = {**STATEMENT, "invoices": [{**first, "id": 77}]}
        assert wrong_with(other) == ["nothing names invoice 77"]

    def test_of_something_more_is_found(self) -> None:
        assert wrong_with({**STATEMENT, "note": "All of it was paid."}, sealed=False)

    def test_of_how_a_number_is_written_is_none(self) -> None:
        """RFC 8785 knows no 30.0, and neither do programs that read 30.0 and write it again."""
        written = json.dumps(STATEMENT).replace('"amount": 30.0', '"amount": 30')
        assert written != json.dumps(STATEMENT)
        assert wrong_with(json.loads(written), sealed=False) == []

    def test_of_whose_it_is_is_found(self) -> None:
        assert found_in({**STATEMENT, "holder": "USER#8"})

    def test_of_an_entry_whose_hash_is_made_to_fit_is_found(self) -> None:
        changed = copy.deepcopy(STATEMENT)
        entry = changed["accounts"][0]["entries"][3]
        entry["content"]["cause"] = "session:999"
        entry["hash"] = verify_statement.digest(entry["content"])
        assert any("that is not there" in wrong for wrong in wrong_with(changed))

    def test_of_an_entry_that_is_made_unchained_is_found(self) -> None:
        changed = copy.deepcopy(STATEMENT)
        account = changed["accounts"][0]
        account["entries"][0]["hash"] = None
        account["totals"]["unchained"] = 1
        assert any("that is not there" in wrong for wrong in wrong_with(changed))

    def test_by_an_entry_more_is_found(self) -> None:
        forged = a_ledger()
        forged.move(EntryKind.RELEASE, 9, b=1)
        changed = copy.deepcopy(STATEMENT)
        changed["accounts"][0]["entries"] = forged.statement()["accounts"][0]["entries"]
        assert any("nothing leads to entry e9" in wrong for wrong in wrong_with(changed))


class TestAgainstAnOlderOne:
    def test_what_came_since_is_no_change(self, tmp_path: Path) -> None:
        ledger = a_ledger()
        old = ledger.statement()
        ledger.move(EntryKind.CONSUME, 70, b=1)
        assert verified(tmp_path, ledger.statement(minute=80), old)[0] == 0

    def test_newest_entries_that_were_cut_off_are_found(self, tmp_path: Path) -> None:
        """Alone, a statement whose end was cut off and whose rest was made to fit looks right."""
        kept = a_ledger()
        kept.move(EntryKind.CONSUME, 9, b=4)
        cut = a_ledger().statement(minute=80)
        assert verified(tmp_path, cut)[0] == 0
        code, told = verified(tmp_path, cut, kept.statement())
        assert code == 1
        assert "its head" in told and "entry e9 of before is gone" in told

    def test_a_past_that_was_written_anew_is_found(self, tmp_path: Path) -> None:
        other = Ledger()
        other.grant("a", 6, minute=0)
        code, told = verified(tmp_path, other.statement(minute=80), STATEMENT)
        assert code == 1
        assert "entry e0 of before is gone or was changed" in told

    def test_an_account_that_is_gone_is_found(self) -> None:
        gone = {**STATEMENT, "accounts": []}
        assert verify_statement.wrong_against(gone, STATEMENT) == ["account 4#52#cohort.5 is gone"]

    def test_another_holder_is_found(self) -> None:
        assert "two holders" in verify_statement.wrong_against({**STATEMENT, "holder": "USER#8"}, STATEMENT)[0]

    def test_an_entry_without_a_hash_that_was_changed_is_found(self) -> None:
        old = copy.deepcopy(STATEMENT)
        account = old["accounts"][0]
        account["entries"][0]["hash"] = None
        new = copy.deepcopy(old)
        assert verify_statement.wrong_against(new, old) == []
        new["accounts"][0]["entries"][0]["content"]["units"] = 50
        assert "which has no hash" in verify_statement.wrong_against(new, old)[0]


class TestSince:
    def test_what_is_before_is_named_and_not_shown(self, tmp_path: Path) -> None:
        ledger = a_ledger()
        later = 3 * 24 * 60
        ledger.move(EntryKind.CONSUME, later, b=1)
        since = (NOW + timedelta(days=2)).replace(hour=0, minute=0, second=0, microsecond=0)
        statement = ledger.statement(minute=later + 5, since=since)
        account = statement["accounts"][0]
        assert (len(account["entries"]), account["opening"], len(account["earlier"])) == (1, 8, 1)
        code, told = verified(tmp_path, statement, ledger.statement(minute=later))
        assert code == 0, told
        account["earlier"] = []
        assert any("that is not there" in wrong for wrong in wrong_with(statement))
        account["earlier"] = ["0" * 64]
        assert any("nothing leads to the earlier entry" in wrong for wrong in wrong_with(statement))


class TestFiles:
    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("{", "is not JSON"),
            ("[]", "is no statement"),
            ('{"format": "purser-statement/2"}', "is no statement"),
            ('{"format": "purser-statement/1"}', "missing or has another form"),
            ('{"format": "purser-statement/1", "format": "purser-statement/1"}', "stands twice"),
            (json.dumps({**STATEMENT, "accounts": 5}), "missing or has another form"),
        ],
    )
    def test_that_are_no_statement_are_refused_in_words(self, tmp_path: Path, text: str, told: str) -> None:
        code, said = verified(tmp_path, text)
        assert code == 1
        assert told in said

    def test_that_are_not_there_are_refused_in_words(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert verify_statement.main([str(tmp_path / "none.json")]) == 1
        assert "No such file" in capsys.readouterr().out
        assert verify_statement.main([]) == 2
