"""What must hold of teams: nobody sits there unpaid, and each seat has its units once a boundary, and nobody else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.identity.credentials import email_digest
from chalicelib.books.ledger.model import Entry, EntryKind, Holder, Lot
from chalicelib.books.ledger.rows import read_balance
from chalicelib.books.subscriptions.cycle import is_metered
from chalicelib.books.subscriptions.model import ADD_ON_PREFIX, Holding, Status, TermItem
from chalicelib.books.teams.model import Seat, Team
from chalicelib.dynamo.rows import Row, load
from tests.periods import boundary, calendar, is_over, latest_paid


@dataclass(frozen=True)
class Teams:
    """The rows that say who sits where. `due`: the holdings about which something is to be done."""

    rows: Sequence[Row]
    entries: Sequence[tuple[str, Entry]]
    holdings: Mapping[int, Holding]
    due: Collection[int]
    now: datetime


def what_is_seated(found: Teams) -> list[str]:
    """Every broken rule, in a sentence each."""
    of_teams: defaultdict[str, list[Row]] = defaultdict(list)
    members: defaultdict[int, dict[str, int]] = defaultdict(dict)
    pools: defaultdict[int, set[str]] = defaultdict(set)
    lots: defaultdict[int, list[tuple[str, Lot]]] = defaultdict(list)
    for row in found.rows:
        if row.key.pk.startswith("TEAM#"):
            of_teams[row.key.pk].append(row)
        elif row.key.sk.startswith("MEMBER#"):
            members[int(row.key.sk.removeprefix("MEMBER#"))][row.key.pk] = int(str(row.values["seat"]))
        elif row.key.sk.startswith("BAL_POOL#"):
            pools[int(str(row.values["team"]))].add(row.key.pk.removeprefix("LEDGER#"))
        elif row.key.sk.startswith("BAL#"):
            for lot in read_balance(Holder.person(0), row).lots:
                lots[lot.origin.seat_id or 0].append((row.key.pk, lot))
    lots.pop(0, None)
    wrong: list[str] = []
    given, moved = _given(found.entries)
    seats: dict[int, Seat] = {}
    for rows in of_teams.values():
        own = [load(Seat, row) for row in rows if row.key.sk.startswith("SEAT#")]
        seats |= {seat.id: seat for seat in own}
        team = next(load(Team, row) for row in rows if row.key.sk == "TEAM")
        holding = found.holdings[team.id]
        claims = {row.key.sk: int(str(row.values["id"])) for row in rows if row.key.sk.startswith("EMAIL#")}
        wrong += seated(team, holding, own)
        wrong += _named(team, own, claims, members[team.id])
        wrong += _pool(holding, own, pools[team.id])
        if team.id not in found.due:
            freed = tuple(f"{team.id}_{seat.id}_" for seat in own if not seat.is_live)
            for seat in own:
                wrong += _has_its_units(holding, seat, (given, freed), lots[seat.id], found.now)
    for ident, of_seat in lots.items():
        wrong += _usable(seats.get(ident), found, of_seat)
    return wrong + [
        f"{one} was given {n} times and moved {moved[one]}" for one, n in given.items() if n > moved[one] + 1
    ]


def seated(team: Team, holding: Holding, seats: Sequence[Seat]) -> Iterator[str]:
    """No more sit there than are paid for, the owner included; the team counts them; each e-mail sits there once."""
    live = [seat.email.lower() for seat in seats if seat.is_live]
    if len(live) + 1 > holding.terms.seats:
        yield f"{len(live) + 1} sit in team {team.id}, {holding.terms.seats} are paid for"
    if len(live) + 1 != team.seats:
        yield f"{len(live) + 1} sit in team {team.id}, which counts {team.seats}"
    yield from (f"{email} sits in team {team.id} {n} times" for email, n in Counter(live).items() if n > 1)


def _named(team: Team, seats: Sequence[Seat], claims: Mapping[str, int], members: Mapping[str, int]) -> Iterator[str]:
    """Each live seat has the claim of its e-mail and whoever sits there has the membership, and nobody else."""
    live = [seat for seat in seats if seat.is_live]
    wanted = {f"EMAIL#{email_digest(seat.email)}": seat.id for seat in live}
    if claims != wanted:
        yield f"team {team.id} has the claims {claims}, its seats {wanted}"
    sitting = {f"USER#{seat.user_id}": seat.id for seat in live if seat.user_id is not None}
    if members != sitting:
        yield f"team {team.id} has the members {members}, its seats {sitting}"


def _pool(holding: Holding, seats: Sequence[Seat], users: AbstractSet[str]) -> Iterator[str]:
    """Whoever sits there may use the pool, where there is one, and so may the owner; nobody else may."""
    sitting = {f"USER#{seat.user_id}" for seat in seats if seat.is_live and seat.user_id is not None}
    sitting.add(f"USER#{holding.user_id}")
    if not users <= sitting:
        yield f"the pool of {holding.id} is open to {sorted(users - sitting)}, who do not sit there"
    pooled = any(item.pooled for item in holding.terms.items)
    if pooled and not is_over(holding) and not sitting <= users:
        yield f"the pool of {holding.id} is not open to {sorted(sitting - users)}, who sit there"


def _given(entries: Sequence[tuple[str, Entry]]) -> tuple[Counter[str], Counter[str]]:
    """How often the units of a seat's boundary were given, and how often they went from one person to another."""
    given: Counter[str] = Counter()
    moved: Counter[str] = Counter()
    for _, entry in entries:
        for portion in entry.portions:
            if portion.origin is not None and portion.origin.seat_id is not None and entry.kind is EntryKind.GRANT:
                given[_of_any_turn(portion.lot_id)] += 1
            elif entry.kind is EntryKind.MOVE:
                moved[_of_any_turn(portion.lot_id)] += 1
    return given, moved


def _of_any_turn(lot_id: str) -> str:
    team, seat, _, what = lot_id.split("_", 3)
    return f"{team}_{seat}_{what}"


def _usable(seat: Seat | None, found: Teams, lots: Sequence[tuple[str, Lot]]) -> Iterator[str]:
    """Units can be used by whoever sits there, while they do and while it is paid; by nobody else."""
    for pk, lot in lots:
        if not lot.usable(found.now):
            continue
        if seat is None or not seat.is_live:
            yield f"lot {lot.id} of {pk} is usable, and its seat is free"
        elif pk != (f"LEDGER#SEAT#{seat.id}" if seat.user_id is None else f"LEDGER#USER#{seat.user_id}"):
            yield f"lot {lot.id} of {pk} is usable, and {seat.email} sits there"
        elif seat.team_id not in found.due and not _goes_on(found.holdings[seat.team_id], found.now):
            yield f"lot {lot.id} of {pk} is usable, and what it is of is over"


def _goes_on(holding: Holding, now: datetime) -> bool:
    return holding.access_until is None or holding.access_until > now


def _has_its_units(
    holding: Holding,
    seat: Seat,
    came: tuple[Mapping[str, int], tuple[str, ...]],
    lots: Sequence[tuple[str, Lot]],
    now: datetime,
) -> Iterator[str]:
    """Whoever sits there has what came last of each item, to its end."""
    stopped = is_over(holding) or holding.held_back is not None or holding.status is Status.PAUSED
    if not seat.is_live or seat.user_id is None or stopped or not _goes_on(holding, now):
        return
    given, freed = came
    since, until = holding.terms.since, holding.access_until
    for item in _copied(holding):
        mark, ends = since, until
        if is_metered(item):
            number = max(latest_paid(holding, item, now), 0)
            start = calendar(holding)
            mark = int(boundary(start, item.renewal, number).timestamp())
            following = boundary(start, item.renewal, number + 1)
            if following <= now:
                continue  # in the days of grace nothing that is counted comes, also not to whoever is seated then
            ends = following if until is None else min(following, until)
        suffix = f"{since}_{item.link_id}_{mark}"
        own = f"{seat.team_id}_{seat.id}_{suffix}" in given
        before = any(key.startswith(freed) and key.endswith(f"_{suffix}") for key in given)
        if not own and not (before and item.link_id in seat.refills):  # a freed seat keeps what it was given
            yield f"seat {seat.id} of team {seat.team_id} was never given {suffix}"
        for pk, lot in lots:
            current = lot.remaining and lot.id == f"{seat.team_id}_{seat.id}_{seat.turn}_{suffix}"
            if current and _seconds(lot.expires_at) != _seconds(ends):
                yield f"lot {lot.id} of {pk} ends at {lot.expires_at}, the access to it at {ends}"


def _seconds(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _copied(holding: Holding) -> list[TermItem]:
    if holding.terms.strategy == "PER_TEAM":
        return []
    return [item for item in holding.terms.items if not item.pooled and not item.link_id.startswith(ADD_ON_PREFIX)]
