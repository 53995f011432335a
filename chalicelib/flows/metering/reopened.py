"""Reopened: until when units can be used that come back to a lot that was used up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.ledger.model import Balance, Entry, Holder, Origin
from chalicelib.books.subscriptions import course
from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.queries import Held
from chalicelib.books.teams import queries as team_queries
from chalicelib.books.teams import store as teams
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Write
from chalicelib.flows.context import Context
from chalicelib.flows.teams import seats
from chalicelib.flows.teams.tend_seat import holding_key_of
from chalicelib.kernel.errors import Defect


@dataclass(frozen=True, slots=True)
class Access:
    """When the lots that belong to a plan or a seat of it end now, and what must be as it was read for that to hold."""

    ends: Mapping[str, datetime | None]
    unchanged: Mapping[Key, Write]


def reopened(
    context: Context, holder: Holder, user_id: int, entry: Entry, balance: Balance | None
) -> tuple[Entry, dict[Key, Write]]:
    """The entry of units that come back, and what must not have changed when it is written.

    A lot that was used up is on no page, so that the end of its plan's access, or a change of the plan, could not end
    it: opened again, it ends as it would by now. What was bought for itself ends when it did.
    """
    open_lots = {lot.id for lot in balance.lots} if balance is not None else set()
    portions, unchanged = [], dict[Key, Write]()
    for portion in entry.portions:
        origin = portion.origin
        if portion.unlimited or portion.lot_id in open_lots or origin is None or _holding_id(origin) is None:
            portions.append(portion)
            continue
        access = _access(context.table, holder, user_id, origin)
        unchanged |= access.unchanged
        ends = access.ends.get(portion.lot_id, context.now.replace(microsecond=0))
        portions.append(portion.model_copy(update={"expires_at": ends}))
    return entry.model_copy(update={"portions": tuple(portions)}), unchanged


def _holding_id(origin: Origin) -> int | None:
    return origin.subscription_id or origin.financing_id


def _access(table: Table, holder: Holder, user_id: int, origin: Origin) -> Access:
    if origin.seat_id is not None and origin.team_id is not None:
        return _access_of_seat(table, holder, teams.seat_key(origin.team_id, origin.seat_id))
    owner_id = user_id
    if origin.team_id is not None:
        team = team_queries.team(table, origin.team_id)
        owner_id = user_id if team is None else team.team.owner_id
    key = subscriptions.subscription_key if origin.subscription_id is not None else subscriptions.financing_key
    held = _held(table, key(owner_id, _holding_id(origin) or 0))
    return Access(course.current_lots(held.holding), _as_read(held))


def _access_of_seat(table: Table, holder: Holder, key: Key) -> Access:
    stored = team_queries.seat_of(table, key)
    if stored is None:
        raise Defect(f"there is no seat {key.sk}")
    held = _held(table, holding_key_of(stored.seat))
    is_theirs = stored.seat.is_live and seats.holder_of(stored.seat) == holder
    ends = seats.current_lots(held.holding, stored.seat) if is_theirs else {}
    return Access(ends, {**_as_read(held), key: teams.unchanged_seat(stored.seat, version=stored.version)})


def _held(table: Table, key: Key) -> Held:
    held = subscription_queries.held(table, key)
    if held is None:
        raise Defect(f"units are of {key.sk}, which is not there")
    return held


def _as_read(held: Held) -> dict[Key, Write]:
    check = subscriptions.unchanged_holding(held.holding, version=held.version)
    return {check.key: check}
