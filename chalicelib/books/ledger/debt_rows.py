"""What an account owes, as the expressions of its page."""

from __future__ import annotations

from chalicelib.books.ledger.model import Balance, Owed
from chalicelib.books.ledger.reversal import Reversal
from chalicelib.books.ledger.rows import OWED, OWES, owed_map
from chalicelib.dynamo.expressions import Action, Condition, Path


def pay_debts(owing: Balance, units: int) -> tuple[list[Action], list[Condition]]:
    """Take units off what a page owes, the first debt first."""
    actions = [debt_now(owing.debt - units)]
    conditions: list[Condition] = []
    for owed in owing.owed:
        part = min(units, owed.units) if owed.collect else 0
        if part:
            conditions.append(Path([OWED + owed.grant_id, "n"]) == owed.units)
            actions.append(owes(owed, owed.units - part))
            units -= part
    return actions, conditions


def debt_as_read(debt: int) -> Condition:
    as_read: Condition = (Path(OWES) == debt) if debt else ~Path(OWES).exists()
    return as_read


def debt_now(debt: int) -> Action:
    action: Action = Path(OWES).set(debt) if debt else Path(OWES).remove()
    return action


def owes(owed: Owed, units: int) -> Action:
    attribute = Path([OWED + owed.grant_id])
    action: Action = attribute.set(owed_map(owed.model_copy(update={"units": units}))) if units else attribute.remove()
    return action


def owed_as_read(reversal: Reversal) -> Condition:
    name = OWED + reversal.grant.id
    before = reversal.owed_before
    unchanged: Condition = (Path([name, "n"]) == before) if before else ~Path([name]).exists()
    return unchanged
