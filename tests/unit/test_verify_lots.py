"""What a statement's check says of lots that were retimed, and of those that expired."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from chalicelib.books.ledger.model import EntryKind
from tests.statements import verified, wrong_with
from tests.unit.test_verify_statement import NOW, STATEMENT, Ledger, a_ledger


class TestLotsThatWereRetimed:
    """A lot ends as the last retiming of it says."""

    def a_retimed(self) -> Ledger:
        ledger = a_ledger()
        ledger.retime("b", NOW + timedelta(days=60), minute=10)
        ledger.retime("c", NOW, minute=11)
        ledger.move(EntryKind.CONSUME, 12, b=1)
        return ledger

    def test_are_right(self, tmp_path: Path) -> None:
        code, told = verified(tmp_path, self.a_retimed().statement(), STATEMENT)
        assert code == 0, told

    @pytest.mark.parametrize("end", [None, NOW + timedelta(days=30), NOW + timedelta(days=61)])
    def test_and_end_otherwise_are_found(self, end: datetime | None) -> None:
        ledger = self.a_retimed()
        ledger.lots["b"] = ledger.lots["b"].model_copy(update={"expires_at": end})
        assert wrong_with(ledger.statement()) == ["account 4#52#cohort.5: lot b is not what was granted"]

    def test_and_were_emptied_may_come_back_as_they_ended_before(self) -> None:
        ledger = a_ledger()
        before = ledger.lots["b"]
        ledger.move(EntryKind.CONSUME, 9, b=8)
        ledger.retime("c", NOW, minute=10)
        ledger.retime("b", NOW, minute=11)
        ledger.lots["b"] = before.model_copy(update={"remaining": 0})
        assert wrong_with(ledger.statement()) == []
        ledger.move(EntryKind.RELEASE, 12, b=1)
        assert wrong_with(ledger.statement()) == []

    def test_after_a_refund_cut_them_short_end_as_the_retiming_says(self) -> None:
        ledger = a_ledger()
        ledger.write(EntryKind.REVERSE, 0, (ledger.portion("b", 0),), minute=9, heads=None)
        granted = ledger.lots["b"]
        ledger.lots["b"] = granted.model_copy(update={"expires_at": NOW + timedelta(days=1)})
        assert wrong_with(ledger.statement()) == []
        ledger.retime("b", NOW + timedelta(days=2), minute=10)
        assert wrong_with(ledger.statement()) == []
        ledger.lots["b"] = granted.model_copy(update={"expires_at": NOW + timedelta(days=1)})
        assert wrong_with(ledger.statement()) == ["account 4#52#cohort.5: lot b is not what was granted"]

    def test_and_move_units_are_found(self) -> None:
        ledger = a_ledger()
        ledger.write(EntryKind.RETIME, 0, (ledger.portion("b", 1),), minute=10, heads=None)
        assert any("says 0 units, its lots say otherwise" in wrong for wrong in wrong_with(ledger.statement()))


class TestLotsThatExpired:
    def test_are_gone_with_what_they_had(self) -> None:
        ledger = a_ledger()
        for lot_id, units in (("b", 8), ("c", 0)):
            portion = ledger.portion(lot_id, units)
            minute = 10 + units
            ledger.write(EntryKind.EXPIRE, -units, (portion,), minute=minute, heads=None)
            assert any(f"lot {lot_id} " in wrong for wrong in wrong_with(ledger.statement()))
            del ledger.lots[lot_id]
            assert wrong_with(ledger.statement()) == []
