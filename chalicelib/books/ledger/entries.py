"""The entries that movements make: what is written of a grant, of units taken back, of a debt that is paid. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from chalicelib.books.ledger.burn import Take
from chalicelib.books.ledger.model import Balance, Entry, EntryKind, Grant, Lot, Owed, Portion, Unit
from chalicelib.books.ledger.reversal import Reversal
from chalicelib.kernel.ids import derived


def grant_entry_id(grants: Sequence[Grant | Portion]) -> str:
    """The entry of grants that come together."""
    return f"{grants[0].lot_id}#grant"


def grant_entry(unit: Unit, grants: Sequence[Grant], *, page: int, now: datetime, cause: str) -> Entry:
    portions = tuple(
        Portion(
            lot_id=grant.lot_id,
            units=max(grant.how_many, 0),
            page=page,
            unlimited=grant.how_many < 0,
            granted=grant.how_many,
            expires_at=grant.expires_at,
            created_at=now,
            origin=grant.origin,
        )
        for grant in grants
    )
    return Entry(
        id=grant_entry_id(grants),
        kind=EntryKind.GRANT,
        unit=unit,
        units=sum(portion.units for portion in portions),
        portions=portions,
        cause=cause,
        at=now,
    )


def portion_of(take: Take) -> Portion:
    """What an entry keeps of a take. An unlimited lot that ends moves no units."""
    return _portion(take.lot, max(take.units, 0), page=take.balance.page)


def retime_entry(balance: Balance, lots: Sequence[Lot], *, entry_id: str, cause: str, now: datetime) -> Entry:
    """The entry of lots that end at another time: `lots` are as they will be."""
    portions = tuple(_portion(lot, 0, page=balance.page) for lot in lots)
    return Entry(id=entry_id, kind=EntryKind.RETIME, unit=balance.unit, units=0, portions=portions, cause=cause, at=now)


def expire_entry(balance: Balance, lots: Sequence[Lot], *, now: datetime) -> Entry:
    """The entry of expired lots that are cleared away. Its id follows from the page as it was."""
    portions = tuple(_portion(lot, max(lot.remaining, 0), page=balance.page) for lot in lots)
    known = (balance.unit.name, balance.page, *balance.heads, *(lot.id for lot in lots))
    return Entry(
        id=f"{derived('expired', *known)}#expire",
        kind=EntryKind.EXPIRE,
        unit=balance.unit,
        units=-sum(portion.units for portion in portions),
        portions=portions,
        cause="expiry",
        at=now,
    )


def still_owed(portions: Sequence[Portion], balance: Balance | None) -> dict[tuple[str, str], int]:
    """Of the units that come back, those that pay what is owed of the payment that granted them: how many, by the grant
    that is owed and the lot that they come back to. Each pays once; what is owed of their own grant comes first.
    """
    debts = balance.owed if balance is not None else ()
    pairs = [(owed, portion) for owed in debts for portion in portions if _of_payment(portion, owed)]
    pairs.sort(key=lambda pair: pair[0].grant_id != grant_entry_id(pair[1:]))
    owing = {owed.grant_id: owed.units for owed in debts}
    coming = {portion.lot_id: portion.units for portion in portions}
    kept: dict[tuple[str, str], int] = {}
    for owed, portion in pairs:
        part = min(owing[owed.grant_id], coming[portion.lot_id])
        if part:
            kept[owed.grant_id, portion.lot_id] = part
            owing[owed.grant_id] -= part
            coming[portion.lot_id] -= part
    return kept


def _of_payment(portion: Portion, owed: Owed) -> bool:
    return portion.origin is not None and portion.origin.invoice_id == owed.invoice_id


def collection(coming: Entry, paid: Mapping[str, int]) -> list[Entry]:
    """The entry of what units that come in pay of what is owed."""
    if not paid:
        return []
    portions = tuple(
        portion.model_copy(update={"units": paid[portion.lot_id]})
        for portion in coming.portions
        if portion.lot_id in paid
    )
    changed = {
        "id": f"{coming.id}#collect",
        "kind": EntryKind.REVERSE,
        "units": -sum(paid.values()),
        "portions": portions,
    }
    return [coming.model_copy(update=changed)]


def reversal_entry(reversal: Reversal, *, cause: str, version: int, now: datetime) -> list[Entry]:
    if not reversal.portions:
        return []  # units were frozen or thawed, or are owed: none moved
    again = any(lot.ends_otherwise and lot.begins_again for lot in reversal.lots)
    back = reversal.moved < 0 or (reversal.moved == 0 and again)
    kind = EntryKind.RESTORE if back else EntryKind.REVERSE
    entry = Entry(
        id=f"{reversal.grant.id.removesuffix('grant')}{kind}_{version}",
        kind=kind,
        unit=reversal.grant.unit,
        units=-reversal.moved,
        portions=reversal.portions,
        cause=cause,
        at=now,
    )
    return [entry]


def _portion(lot: Lot, units: int, *, page: int) -> Portion:
    """Units of a lot, with what it is."""
    return Portion(
        lot_id=lot.id,
        units=units,
        page=page,
        unlimited=lot.granted < 0,
        granted=lot.granted,
        expires_at=lot.expires_at,
        created_at=lot.created_at,
        origin=lot.origin,
    )
