"""Teams, seats, claims and memberships. Every write and every query."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from chalicelib.books.enrollment import queries as enrollment
from chalicelib.books.ledger import pool_store
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.teams import queries, store
from chalicelib.books.teams.model import Membership, Seat, SeatStatus, Team
from chalicelib.dynamo.table import Due
from chalicelib.dynamo.writes import Put, Unexpected, Update
from tests.conformance.cases import Case, rows_of
from tests.conformance.enrollment_cases import INVITATIONS, an_invitation, claim
from tests.conformance.queries import Asked
from tests.conformance.things import ACADEMY, HOLDER, NOW, TEAM, USER, a_subscription

TEAM_ID, OTHER = 900, 901
LATER = NOW + timedelta(hours=1)


def a_team(**changed: Any) -> Team:
    return Team.model_validate({"id": TEAM_ID, "owner_id": USER, "academy_id": ACADEMY, "seats": 2} | changed)


def a_seat(ident: int = 1, **changed: Any) -> Seat:
    values = {
        "id": ident,
        "team_id": TEAM_ID,
        "owner_id": USER,
        "academy_id": ACADEMY,
        "email": f"{ident}@example.org",
        "user_id": 8,
        "status": SeatStatus.ACTIVE,
        "created_at": NOW,
    }
    return Seat.model_validate(values | changed)


def new(ident: int = 1, *, due_at: datetime | None = None, **changed: Any) -> Put:
    return store.new_seat(a_seat(ident, **changed), due_at=due_at)


def member(team_id: int = TEAM_ID, *, user_id: int = 8, seat_id: int = 1) -> Put:
    return store.new_member(user_id, Membership(team_id=team_id, owner_id=USER, seat_id=seat_id))


def use(units: int) -> Update:
    return store.use_pool(TEAM_ID, 8, since=SINCE, units=units, cap=5)


SINCE = int(NOW.timestamp())
USED = store.use_key(TEAM_ID, 8, SINCE)
BACK = store.pool_use_back(TEAM_ID, 8, since=SINCE, units=2)
FIRST, NEXT = store.saved_team(a_team(), version=0), store.saved_team(a_team(seats=3), version=1)
AS_READ = store.unchanged_team(a_team(), version=0)
CHANGED = store.changed_seat(a_seat(turn=1), version=1, due_at=LATER)
KEY = store.seat_key(TEAM_ID, 1)
WOKEN = store.wake_seat(KEY, NOW)
CLAIM = store.claim_email(a_seat(), "one")
GIVEN_BACK = store.give_back_email(a_seat(), "one")
GONE = store.gone_member(8, a_seat())
POOL = pool_store.pool_write(HOLDER, TEAM)
CLOSED = pool_store.pool_closed(HOLDER, TEAM)
HELD = subscriptions.new_subscription(a_subscription())
ROWS = rows_of(
    FIRST,
    new(1, due_at=NOW),
    new(2, due_at=LATER),
    new(3, status=SeatStatus.REMOVED),
    new(4, team_id=OTHER, due_at=NOW - timedelta(hours=1)),
    store.claim_email(a_seat(2), "two"),
    member(),
    member(OTHER, seat_id=4),
    member(OTHER + 1, user_id=9),
)

CASES = (
    Case(of=store.saved_team, name="the first", writes=[FIRST]),
    Case(of=store.saved_team, name="as it was read", writes=[NEXT], before=rows_of(FIRST)),
    Case(
        of=store.saved_team,
        name="the first where there is one",
        writes=[FIRST],
        before=rows_of(FIRST),
        refused=store.TeamMoved,
    ),
    Case(
        of=store.saved_team,
        name="changed since it was read",
        writes=[NEXT],
        before=rows_of(NEXT),
        refused=store.TeamMoved,
    ),
    Case(of=store.unchanged_team, name="that is not there", writes=[AS_READ, member()]),
    Case(
        of=store.unchanged_team,
        name="that is there by now",
        writes=[AS_READ, member()],
        before=rows_of(FIRST),
        refused=store.TeamMoved,
    ),
    Case(
        of=store.unchanged_team,
        name="as it was read",
        writes=[store.unchanged_team(a_team(), version=1), member()],
        before=rows_of(FIRST),
    ),
    Case(of=store.new_seat, name="the first", writes=[new()]),
    Case(of=store.new_seat, name="with the same id", writes=[new()], before=rows_of(new()), refused=store.SeatMoved),
    Case(of=store.changed_seat, name="as it was read", writes=[CHANGED], before=rows_of(new())),
    Case(
        of=store.changed_seat,
        name="changed since it was read",
        writes=[CHANGED],
        before=rows_of(CHANGED),
        refused=store.SeatMoved,
    ),
    Case(of=store.changed_seat, name="gone", writes=[CHANGED], refused=store.SeatMoved),
    Case(
        of=store.unchanged_seat,
        name="as it was read",
        writes=[store.unchanged_seat(a_seat(), version=1), member()],
        before=rows_of(new()),
    ),
    Case(
        of=store.unchanged_seat,
        name="changed since it was read",
        writes=[store.unchanged_seat(a_seat(), version=1), member()],
        before=rows_of(CHANGED),
        refused=store.SeatMoved,
    ),
    Case(
        of=store.unchanged_seat,
        name="gone",
        writes=[store.unchanged_seat(a_seat(), version=1), member()],
        refused=store.SeatMoved,
    ),
    Case(
        of=store.wake_seat,
        name="that waits for nothing",
        writes=[WOKEN],
        before=rows_of(new()),
        after={KEY: {**new(due_at=NOW).values, "version": 2}},
    ),
    Case(
        of=store.wake_seat,
        name="that waits for later",
        writes=[WOKEN],
        before=rows_of(new(due_at=LATER)),
        after={KEY: {**new(due_at=NOW).values, "version": 2}},
    ),
    Case(of=store.wake_seat, name="that is not there", writes=[WOKEN], refused=Unexpected),
    Case(
        of=store.changed_seat,
        name="woken since it was read",
        writes=[store.changed_seat(a_seat(turn=1), version=1, due_at=None)],
        before={KEY: {**new(due_at=NOW).values, "version": 2}},
        refused=store.SeatMoved,
    ),
    Case(of=store.claim_email, name="the first", writes=[CLAIM]),
    Case(
        of=store.claim_email,
        name="that has a seat",
        writes=[store.claim_email(a_seat(2), "one")],
        before=rows_of(CLAIM),
        refused=store.DuplicateSeat,
    ),
    Case(of=store.give_back_email, name="its own", writes=[GIVEN_BACK], before=rows_of(CLAIM)),
    Case(
        of=store.give_back_email,
        name="another's",
        writes=[GIVEN_BACK],
        before=rows_of(store.claim_email(a_seat(2), "one")),
        refused=store.SeatMoved,
    ),
    Case(
        of=store.use_pool,
        name="the first",
        writes=[use(2)],
        after={USED: {"used": 2, "ttl": SINCE + store.USES_KEPT_SECONDS}},
    ),
    Case(
        of=store.use_pool,
        name="up to the cap",
        writes=[use(2)],
        before={USED: {"used": 3, "ttl": 1}},
        after={USED: {"used": 5, "ttl": SINCE + store.USES_KEPT_SECONDS}},
    ),
    Case(
        of=store.use_pool,
        name="beyond the cap",
        writes=[use(2)],
        before={USED: {"used": 4, "ttl": 1}},
        refused=store.MemberCapReached,
    ),
    Case(of=store.use_pool, name="beyond the cap at once", writes=[use(6)], refused=store.MemberCapReached),
    Case(
        of=store.pool_use_back,
        name="of what was counted",
        writes=[BACK],
        before={USED: {"used": 3, "ttl": 1}},
        after={USED: {"used": 1, "ttl": 1}},
    ),
    Case(of=store.pool_use_back, name="of nothing", writes=[BACK], refused=Unexpected),
    Case(of=store.new_member, name="the first", writes=[member()]),
    Case(
        of=store.new_member,
        name="who sits there already",
        writes=[member(seat_id=2)],
        before=rows_of(member()),
        refused=store.SeatMoved,
    ),
    Case(of=store.gone_member, name="of this seat", writes=[GONE], before=rows_of(member())),
    Case(
        of=store.gone_member,
        name="of another seat",
        writes=[GONE],
        before=rows_of(member(seat_id=2)),
        refused=store.SeatMoved,
    ),
    Case(of=pool_store.pool_closed, name="that was open", writes=[CLOSED], before=rows_of(POOL)),
    Case(of=pool_store.pool_closed, name="that was not", writes=[CLOSED]),
    Case(
        of=subscriptions.unchanged_holding,
        name="as it was read",
        writes=[subscriptions.unchanged_holding(a_subscription(), version=1), member()],
        before=rows_of(HELD),
    ),
    Case(
        of=subscriptions.unchanged_holding,
        name="changed since it was read",
        writes=[subscriptions.unchanged_holding(a_subscription(), version=2), member()],
        before=rows_of(HELD),
        refused=subscriptions.HoldingMoved,
    ),
)

ASKED = (
    Asked(
        of=queries.team,
        name="by its id",
        rows=ROWS,
        ask=lambda table: [queries.team(table, ident) for ident in (TEAM_ID, OTHER)],
        answer=[queries.StoredTeam(a_team(), 1), None],
    ),
    Asked(
        of=queries.seats,
        name="all of a team",
        rows=ROWS,
        ask=lambda table: [(one.seat.id, one.version, one.due_at) for one in queries.seats(table, TEAM_ID)],
        answer=[(1, 1, NOW), (2, 1, LATER), (3, 1, None)],
    ),
    Asked(
        of=queries.seat,
        name="by its id",
        rows=ROWS,
        ask=lambda table: queries.seat(table, TEAM_ID, 2),
        answer=queries.StoredSeat(a_seat(2), 1, LATER),
    ),
    Asked(
        of=queries.seat,
        name="another team's",
        rows=ROWS,
        ask=lambda table: queries.seat(table, TEAM_ID, 4),
        refused=queries.SeatNotFound,
    ),
    Asked(
        of=queries.seat_of,
        name="by its key, and none",
        rows=ROWS,
        ask=lambda table: [queries.seat_of(table, store.seat_key(TEAM_ID, ident)) for ident in (1, 4)],
        answer=[queries.StoredSeat(a_seat(), 1, NOW), None],
    ),
    Asked(
        of=queries.seat_with_email,
        name="that has claimed it",
        rows=ROWS,
        ask=lambda table: [queries.seat_with_email(table, TEAM_ID, digest) for digest in ("two", "one")],
        answer=[queries.StoredSeat(a_seat(2), 1, LATER), None],
    ),
    Asked(
        of=queries.memberships,
        name="a person's",
        rows=ROWS,
        ask=lambda table: [(one.team_id, one.seat_id) for one in queries.memberships(table, 8)],
        answer=[(TEAM_ID, 1), (OTHER, 4)],
    ),
    Asked(
        of=queries.is_member,
        name="of this team",
        rows=ROWS,
        ask=lambda table: [queries.is_member(table, user_id, TEAM_ID) for user_id in (8, 9)],
        answer=[True, False],
    ),
    Asked(
        of=queries.due_seats,
        name="of every team, the oldest first",
        rows=ROWS,
        ask=lambda table: queries.due_seats(table, NOW),
        answer=[
            Due(store.seat_key(OTHER, 4), (NOW - timedelta(hours=1)).astimezone(UTC)),
            Due(store.seat_key(TEAM_ID, 1), NOW),
        ],
    ),
    Asked(
        of=enrollment.invitation_to,
        name="that has claimed the e-mail, and none",
        rows={**INVITATIONS, **rows_of(claim())},
        ask=lambda table: [enrollment.invitation_to(table, ACADEMY, digest) for digest in ("kay", "rosa")],
        answer=[enrollment.StoredInvitation(an_invitation(), 1, "d"), None],
    ),
)
