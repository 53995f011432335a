"""Balance pages and entries as rows (see rows.py), and the writes that move units."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from chalicelib.books.ledger import chain
from chalicelib.books.ledger.burn import Take, collected
from chalicelib.books.ledger.debt_rows import debt_as_read, debt_now, owed_as_read, owes, pay_debts
from chalicelib.books.ledger.entries import (
    collection,
    expire_entry,
    grant_entry,
    retime_entry,
    reversal_entry,
    still_owed,
)
from chalicelib.books.ledger.expiry import Expiry
from chalicelib.books.ledger.model import (
    LOTS_PER_PAGE_MAX,
    Balance,
    Entry,
    Grant,
    Holder,
    Lot,
    Unit,
)
from chalicelib.books.ledger.reversal import LotChange, Reversal
from chalicelib.books.ledger.rows import (
    FROZEN,
    HEAD,
    LOT,
    OWED,
    TURNS,
    due_first,
    due_next,
    due_sooner,
    lot_map,
    lot_of_grant,
    lot_of_portion,
    seconds,
)
from chalicelib.dynamo.expressions import Action, Condition, Path
from chalicelib.dynamo.rows import Key, Value
from chalicelib.dynamo.writes import Put, Update, Write, absent, anyway, never, present
from chalicelib.kernel.errors import Defect

BALANCE_PREFIX = "BAL#"
BALANCES_PREFIX = "BAL"
ENTRY_PREFIX = "ENTRY#"
PAID_BY_KEPT_SECONDS = 200 * 86_400
IS_HEAD = 1


class PageFull(Exception):
    """The page holds as many lots as it may; the grant goes to the next one."""


class OwesUnits(Exception):
    """The account owes units that a grant must pay first: read the page and grant again."""


class Moved(Exception):
    """A chosen lot has changed since it was read; choose again."""


def balance_key(holder: Holder, unit: Unit, page: int) -> Key:
    return Key(holder.partition, f"{BALANCE_PREFIX}{unit.name}#{page}")


def entry_key(holder: Holder, entry_id: str) -> Key:
    return Key(holder.partition, f"{ENTRY_PREFIX}{entry_id}")


def paid_by_key(holder: Holder, invoice_id: int, at: datetime) -> Key:
    """The row that names entries of one refill that an invoice paid for: a refund of it looks for them."""
    return Key(holder.partition, f"{paid_by_prefix(invoice_id)}{int(at.timestamp())}")


def paid_by_prefix(invoice_id: int) -> str:
    return f"PAIDBY#{invoice_id}#"


def paid_by(holder: Holder, invoice_id: int, entry_ids: Sequence[str], *, at: datetime, until: datetime | None) -> Put:
    """Say which entries of a holder an invoice paid for, until nothing can be taken back of them any more."""
    values: dict[str, Value] = {"entries": " ".join(entry_ids)}
    if until is not None:
        values["ttl"] = int(until.timestamp()) + PAID_BY_KEPT_SECONDS
    return Put(
        key=paid_by_key(holder, invoice_id, at),
        values=values,
        condition=absent,
        refused=never("a refill is given once, with its holding's row"),
    )


def grant_writes(
    holder: Holder,
    unit: Unit,
    grants: Sequence[Grant],
    *,
    page: int,
    now: datetime,
    cause: str,
    owing: Balance | None = None,
) -> list[Write]:
    """Put lots of one unit on one page, and an entry for them, which names no other where the page was not read.

    The update raises PageFull where the page has no room, and OwesUnits where the account owes units: then `owing` is
    the page as read, and what it owes is taken out of the new lots at once, with an entry of its own. A lot that is
    already there is a defect: the invoice that grants it is fulfilled once, in the same transaction.
    """
    paid = collected(grants, owing)
    lots = [(grant, grant.how_many - paid.get(grant.lot_id, 0)) for grant in grants]
    opened = [(grant, left) for grant, left in lots if left]
    actions: list[Action] = [Path("doc").set(unit.model_dump_json()), Path("lots").add(len(opened))]
    conditions = [~Path("lots").exists() | (Path("lots") <= LOTS_PER_PAGE_MAX - len(grants))]
    for grant in grants:
        conditions.append(~Path([LOT + grant.lot_id]).exists())
    actions += [Path([LOT + grant.lot_id]).set(lot_of_grant(grant, left, now)) for grant, left in opened]
    conditions.append(debt_as_read(0 if owing is None else owing.debt))
    if paid and owing is not None:
        collecting, as_read = pay_debts(owing, sum(paid.values()))
        actions += collecting
        conditions += as_read
    entry = grant_entry(unit, grants, page=page, now=now, cause=cause)
    entries, linking = _linked(holder, () if owing is None else owing.heads, entry, *collection(entry, paid))
    key = balance_key(holder, unit, page)
    update = Update(
        key=key,
        actions=(*actions, *due_first(key, (grant.expires_at for grant, _ in opened), now), *linking),
        condition=_all_of(conditions),
        refused=lambda old: _grant_refused(old, [LOT + grant.lot_id for grant in grants], len(grants)),
    )
    return [update, *entries]


def take_writes(holder: Holder, balance: Balance, takes: Sequence[Take], *, entry: Entry, now: datetime) -> list[Write]:
    """Take units from chosen lots of one page, and the entry for it. Raises Moved where a lot has changed too much.

    A lot that is emptied, or an unlimited one that ends, leaves the page, and so does one that others emptied before.
    """
    actions: list[Action] = []
    conditions: list[Condition] = []
    closed = 0
    for take in takes:
        attribute, expiry = Path([LOT + take.lot.id]), Path([LOT + take.lot.id, "e"])
        remaining = Path([LOT + take.lot.id, "r"])
        conditions.append((expiry == 0) | (expiry > int(now.timestamp())))
        if take.lot.remaining == take.units:  # from now on the entry alone knows what the lot was
            conditions.append((remaining == take.units) & (expiry == seconds(take.lot.expires_at)))
            actions.append(attribute.remove())
            closed += 1
        elif take.lot.remaining < 0:
            conditions.append(remaining == -1)
        else:
            conditions.append(remaining >= take.units)
            actions.append(remaining.set(remaining - take.units))
    for lot in balance.lots:
        if lot.remaining == 0 and lot.frozen == 0:
            conditions.append((Path([LOT + lot.id, "r"]) == 0) & ~Path([LOT + lot.id, "z"]).exists())
            actions.append(Path([LOT + lot.id]).remove())
            closed += 1
    if closed:
        actions.append(Path("lots").add(-closed))
    return _moving(balance_key(holder, balance.unit, balance.page), holder, balance, actions, conditions, entry)


def give_back_writes(holder: Holder, balance: Balance | None, *, entry: Entry) -> list[Write]:
    """Give the units of an entry's portions back to the lots they came from, and put the entry. A lot that was closed
    meanwhile is opened again as the entry has it, which says when it ends by now; an unlimited one gets nothing.

    What a refund has taken back of the same payment, and found spent, does not come back: it pays what is owed, with
    an entry of its own. `balance` is the page as read. Raises Moved where a lot was opened or closed, or a grant
    reversed, since.
    """
    counted = [portion for portion in entry.portions if not portion.unlimited]
    open_ids = {lot.id for lot in balance.lots} if balance is not None else set()
    paid = still_owed(counted, balance)
    kept: Counter[str] = Counter()
    for (_, lot_id), units in paid.items():
        kept[lot_id] += units
    actions: list[Action] = [Path("doc").set(entry.unit.model_dump_json())]
    conditions: list[Condition] = [anyway if balance is None else _turns_as_read(balance)]
    opened = 0
    disputed = balance.disputed if balance is not None else ()
    for portion in counted:
        attribute = Path([LOT + portion.lot_id])
        frozen = portion.origin is not None and portion.origin.invoice_id in disputed
        units = portion.units - kept[portion.lot_id]
        if portion.lot_id in open_ids:
            left = Path([LOT + portion.lot_id, "z" if frozen else "r"])
            conditions.append(attribute.exists())
            actions += [left.set(left + units)] if units else []
        else:
            conditions.append(~attribute.exists())
            actions += [attribute.set(lot_of_portion(portion, units, frozen=frozen))] if units else []
            opened += bool(units)
    if opened:
        actions.append(Path("lots").add(opened))
    collected_now = 0
    for owed in balance.owed if balance is not None else ():
        part = sum(units for (grant_id, _), units in paid.items() if grant_id == owed.grant_id)
        if part:
            conditions.append(Path([OWED + owed.grant_id, "n"]) == owed.units)
            actions.append(owes(owed, owed.units - part))
            collected_now += part if owed.collect else 0
    if collected_now and balance is not None:
        conditions.append(debt_as_read(balance.debt))
        actions.append(debt_now(balance.debt - collected_now))
    key = balance_key(holder, entry.unit, entry.portions[0].page)
    actions += due_first(key, (portion.expires_at for portion in counted if portion.lot_id not in open_ids), entry.at)
    return _moving(key, holder, balance, actions, conditions, entry, *collection(entry, kept))


def retime_writes(
    holder: Holder, balance: Balance, ends: Mapping[str, datetime | None], *, entry_id: str, cause: str, now: datetime
) -> list[Write]:
    """Let open lots of one page end at other times (to the second; None: never), whatever is left in them, and the
    entry of it. Nothing where all of them end so already.

    A lot that has expired can be used again, one that ends in the past cannot any more. `entry_id` follows from the
    cause: the same change is done once. Raises Moved where a lot is not there, was retimed, or a grant reversed, since
    the page was read; uses meanwhile do no harm.
    """
    lots = {lot.id: lot for lot in balance.lots}
    if not ends.keys() <= lots.keys():
        raise Moved
    wanted = {lot_id: None if end is None else end.replace(microsecond=0) for lot_id, end in sorted(ends.items())}
    changed = [lots[lot_id] for lot_id, end in wanted.items() if lots[lot_id].expires_at != end]
    if not changed:
        return []
    actions: list[Action] = [Path(TURNS).add(1)]
    conditions = [_turns_as_read(balance)]
    for lot in changed:
        expiry = Path([LOT + lot.id, "e"])
        conditions.append(expiry == seconds(lot.expires_at))
        actions.append(expiry.set(seconds(wanted[lot.id])))
        actions += [Path([LOT + lot.id, "u"]).remove()] if lot.cut_short else []
    after = [lot.model_copy(update={"expires_at": wanted[lot.id]}) for lot in changed]
    entry = retime_entry(balance, after, entry_id=entry_id, cause=cause, now=now)
    key = balance_key(holder, balance.unit, balance.page)
    actions += due_sooner(key, balance, (lot.expires_at for lot in after), now)
    return _moving(key, holder, balance, actions, conditions, entry)


def expire_writes(holder: Holder, balance: Balance, found: Expiry, *, now: datetime) -> list[Write]:
    """Clear expired lots off their page, with one entry, and say when it is looked at next.

    Raises Moved where one of them was used, given back, frozen or retimed since the page was read; and, where nothing
    is left to look at, where anything was granted or retimed.
    """
    actions: list[Action] = [Path([LOT + lot.id]).remove() for lot in found.going]
    actions += [Path("lots").add(-len(found.going))] if found.going else []
    conditions = [present, *(_lot_as_read(lot) for lot in found.going)]
    if found.look_at is None:
        conditions.append(Path("lots") == len(balance.lots))
        conditions += [Path([LOT + lot.id, "e"]) == 0 for lot in found.staying]
    key = balance_key(holder, balance.unit, balance.page)
    actions += due_next(key, found.look_at)
    entries = [expire_entry(balance, found.going, now=now)] if found.going else []
    return _moving(key, holder, balance, actions, conditions, *entries)


def _lot_as_read(lot: Lot) -> Condition:
    held, left, end, frozen = (Path([LOT + lot.id, name]) for name in "hrez")
    as_read: Condition = (left == lot.remaining) & (end == seconds(lot.expires_at)) & (held == 0) & ~frozen.exists()
    return as_read


def _turns_as_read(balance: Balance) -> Condition:
    """No grant of the page was reversed, and no lot retimed, since it was read."""
    turns = Path(TURNS)
    unchanged: Condition = (turns == balance.turns) if balance.turns else ~turns.exists()
    return unchanged


def reversal_writes(
    holder: Holder, reversals: Sequence[Reversal], *, cause: str, version: int, now: datetime
) -> list[Write]:
    """Bring the lots of grants of one page to where their reversals want them, and the entries of what was moved.

    `version` is the invoice's, which makes the entries' ids. Raises Moved where a lot was used, given back, frozen or
    retimed since it was read.
    """
    changing = [reversal for reversal in reversals if reversal.changes]
    if not changing:
        return []
    balance = changing[0].balance
    actions: list[Action] = [Path(TURNS).add(1)]
    conditions = [_turns_as_read(balance)]
    opened = owed = 0
    for reversal in changing:
        conditions += map(_as_read, reversal.lots)
        for change in reversal.lots:
            attribute = Path([LOT + change.portion.lot_id])
            if change.before != change.after:
                actions.append(attribute.remove() if change.after is None else attribute.set(lot_map(change.after)))
            opened += (change.before is None) - (change.after is None)
        if reversal.owed.units != reversal.owed_before:
            conditions.append(owed_as_read(reversal))
            actions.append(owes(reversal.owed, reversal.owed.units))
            owed += reversal.owed.units - reversal.owed_before if reversal.owed.collect else 0
        if reversal.freezes_otherwise:
            frozen = Path([FROZEN + reversal.grant.id])
            actions.append(frozen.set(reversal.owed.invoice_id) if reversal.frozen else frozen.remove())
    if opened:
        actions.append(Path("lots").add(opened))
    if owed:
        conditions.append(debt_as_read(balance.debt))
        actions.append(debt_now(balance.debt + owed))
    moving = [entry for one in changing for entry in reversal_entry(one, cause=cause, version=version, now=now)]
    key = balance_key(holder, balance.unit, balance.page)
    ends = [change.after.expires_at for one in changing for change in one.lots if change.after is not None]
    actions += due_first(key, ends, now)
    return _moving(key, holder, balance, actions, conditions, *moving)


def _as_read(change: LotChange) -> Condition:
    name = LOT + change.portion.lot_id
    closed: Condition = ~Path([name]).exists()
    if change.before is None:
        return closed
    frozen = Path([name, "z"])
    as_frozen = (frozen == change.before.frozen) if change.before.frozen else ~frozen.exists()
    unchanged: Condition = as_frozen & (Path([name, "r"]) == change.before.remaining)
    return unchanged


def _moving(
    key: Key,
    holder: Holder,
    read: Balance | None,
    actions: Sequence[Action],
    conditions: Sequence[Condition],
    *entries: Entry,
) -> list[Write]:
    """The update of a page and its entries. Raises Moved where a condition does not hold any more."""
    puts, linking = _linked(holder, () if read is None else read.heads, *entries)
    condition = _all_of(conditions)
    update = Update(key=key, actions=(*actions, *linking), condition=condition, refused=lambda old: Moved())
    return [update, *puts]


def _all_of(conditions: Sequence[Condition]) -> Condition:
    condition = conditions[0]
    for further in conditions[1:]:
        condition &= further
    return condition


def _linked(holder: Holder, heads: Collection[str], *entries: Entry) -> tuple[list[Put], list[Action]]:
    """The rows of entries that one update writes, and what makes the last a head of its page in place of its parents.

    `heads` are those of the page as it was read, none where it was not; each further entry names the one before it.
    Every write of an entry goes through here.
    """
    puts: list[Put] = []
    named: set[str] = set()
    last: str | None = None
    for entry in entries:
        sealed = chain.seal(holder, heads if last is None else (last,), entry)
        puts.append(
            Put(
                key=entry_key(holder, entry.id),
                values={"doc": sealed.doc, "hash": sealed.hash},
                condition=absent,
                refused=never(f"the entry {entry.id} follows from its cause and was written before"),
            )
        )
        named |= set(sealed.parents) - {last}
        last = sealed.hash
    actions: list[Action] = [Path([HEAD + parent]).remove() for parent in sorted(named)]
    return puts, actions if last is None else [Path([HEAD + last]).set(IS_HEAD), *actions]


def _grant_refused(old: Mapping[str, Any] | None, attributes: Sequence[str], room: int) -> Exception:
    if old is not None and any(name in old for name in attributes):
        return Defect(f"granted before: {attributes}")
    if old is not None and old.get("lots", 0) > LOTS_PER_PAGE_MAX - room:
        return PageFull()
    return OwesUnits()
