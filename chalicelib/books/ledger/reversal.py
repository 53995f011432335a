"""Take back what a payment granted, or give it back, so that the lots say what the payment came to. Pure.

Everything is computed from where the lots are now and from what is due back in total, never from one refund alone: so
refunds and disputes of one payment add up, in whatever order and however often they are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.ledger.burn import FOREVER
from chalicelib.books.ledger.model import Balance, Entry, Lot, Owed, Portion


@dataclass(frozen=True, slots=True)
class Target:
    """What the units of one grant should come to.

    `due`: countable units to take back, over all refunds and lost disputes. `ended`: unlimited ones end too.
    `frozen`: what is left cannot be used. `ends_at`: the access has ended, and the units with it. `collect`: what was
    spent already is taken out of what the account gets next. `revoked`: what staff took of these lots counts as taken
    back, by whatever refund comes after it, so that nobody owes it or loses as much again.
    """

    due: int
    revoked: int = 0
    ended: bool = False
    frozen: bool = False
    ends_at: datetime | None = None
    collect: bool = False


@dataclass(frozen=True, slots=True)
class LotChange:
    """A lot of a grant as it was read (None: not open) and as it should be (None: closed)."""

    portion: Portion
    before: Lot | None
    after: Lot | None

    @property
    def ends_otherwise(self) -> bool:
        """Whether it ends, begins again, or ends at another time."""
        if self.before is None or self.after is None:
            return self.portion.unlimited and self.before is not self.after
        return self.before.expires_at != self.after.expires_at

    @property
    def begins_again(self) -> bool:
        if self.before is None or self.after is None:
            return self.after is not None
        return (self.after.expires_at or FOREVER) > (self.before.expires_at or FOREVER)


@dataclass(frozen=True, slots=True)
class Reversal:
    """What changes on one page. `moved` units are taken back, negative ones given back, of which lots by `portions`.

    `taken` is what was taken back of this grant in all; `owed` is due as well, and was used.
    """

    grant: Entry
    balance: Balance
    lots: tuple[LotChange, ...]
    moved: int
    portions: tuple[Portion, ...]
    owed_before: int
    owed: Owed
    taken: int
    frozen: bool

    @property
    def freezes_otherwise(self) -> bool:
        """Whether the payment is disputed now and was not, or the other way round."""
        return self.frozen != (self.owed.invoice_id in self.balance.disputed)

    @property
    def changes(self) -> bool:
        return (
            self.freezes_otherwise
            or any(lot.before != lot.after for lot in self.lots)
            or self.owed.units != self.owed_before
        )


def reversal(grant: Entry, balance: Balance, target: Target, *, invoice_id: int, reversed_before: int) -> Reversal:
    """Bring the lots of one grant to `target`. `reversed_before`: the `due` that was reached the last time.

    Units are taken from the lots that expire first; those that were spent are owed.
    """
    open_lots = {lot.id: lot for lot in balance.lots}
    counted = [portion for portion in grant.portions if not portion.unlimited]
    unspent = {portion.lot_id: _units(open_lots.get(portion.lot_id)) for portion in counted}
    before = next((owed for owed in balance.owed if owed.grant_id == grant.id), None)
    owed_before = 0 if before is None else before.units
    taken_before = reversed_before - owed_before
    wanted = max(target.due - target.revoked, min(taken_before, target.due))
    taken = max(0, min(wanted, sum(unspent.values()) + taken_before))
    moves = _spread(counted, unspent, taken - taken_before)
    changes = [
        _changed(portion, open_lots.get(portion.lot_id), unspent[portion.lot_id] - moves.get(portion.lot_id, 0), target)
        for portion in counted
    ]
    changes += [
        _unlimited(portion, open_lots.get(portion.lot_id), target) for portion in grant.portions if portion.unlimited
    ]
    return Reversal(
        grant=grant,
        balance=balance,
        lots=tuple(changes),
        moved=taken - taken_before,
        portions=_moved_portions(counted, moves) + _switched(changes, moves),
        owed_before=owed_before,
        owed=Owed(
            grant_id=grant.id,
            invoice_id=invoice_id,
            units=max(0, target.due - target.revoked - taken),
            collect=before.collect if before is not None else target.collect,
        ),
        taken=taken,
        frozen=target.frozen,
    )


def _units(lot: Lot | None) -> int:
    """The countable units that a lot has, usable or frozen."""
    return 0 if lot is None else lot.remaining + lot.frozen


def _spread(counted: Sequence[Portion], unspent: dict[str, int], units: int) -> dict[str, int]:
    """How many units go out of each lot, the first to expire first; negative: into the lots that had them."""
    moves: dict[str, int] = {}
    left = units
    ordered = sorted(counted, key=lambda portion: (portion.expires_at or FOREVER, portion.lot_id))
    for portion in ordered:
        have = unspent[portion.lot_id]
        part = min(left, have) if left > 0 else max(left, have - portion.granted)
        if part:
            moves[portion.lot_id] = part
            left -= part
    if left and ordered:
        moves[ordered[-1].lot_id] = moves.get(ordered[-1].lot_id, 0) + left
    return moves


def _changed(portion: Portion, before: Lot | None, units: int, target: Target) -> LotChange:
    if units == 0:
        return LotChange(portion, before, None)
    return LotChange(portion, before, _lot(portion, before, units, target))


def _unlimited(portion: Portion, before: Lot | None, target: Target) -> LotChange:
    return LotChange(portion, before, None if target.ended else _lot(portion, before, -1, target))


def _lot(portion: Portion, before: Lot | None, units: int, target: Target) -> Lot:
    if portion.created_at is None or portion.origin is None:
        raise LookupError(f"the portion of lot {portion.lot_id} does not say what the lot was")
    own = portion.expires_at if before is None else before.own_end
    end = min((moment for moment in (own, target.ends_at) if moment is not None), default=None)
    return Lot(
        id=portion.lot_id,
        remaining=0 if target.frozen else units,
        held=0 if before is None else before.held,
        frozen=units if target.frozen else 0,
        granted=portion.granted,
        expires_at=end,
        created_at=portion.created_at if before is None else before.created_at,
        origin=portion.origin,
        cut_short=end != own,
        uncut_end=own if end != own else None,
    )


def _moved_portions(counted: Sequence[Portion], moves: dict[str, int]) -> tuple[Portion, ...]:
    return tuple(
        portion.model_copy(update={"units": abs(moves[portion.lot_id])})
        for portion in counted
        if portion.lot_id in moves
    )


def _switched(changes: Sequence[LotChange], moves: dict[str, int]) -> tuple[Portion, ...]:
    """Lots that change without moving countable units: unlimited ones that end or begin again, and those that now end
    at another time. The entry names them.
    """
    return tuple(
        change.portion.model_copy(update={"units": 0})
        for change in changes
        if change.portion.lot_id not in moves and change.ends_otherwise
    )
