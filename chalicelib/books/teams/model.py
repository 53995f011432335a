"""Teams, their seats, and the memberships of those who sit on them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.documents import Document

EVENTS_KEPT = 20
"""How many of the latest events a log keeps."""


class SeatStatus(StrEnum):
    """INVITED until whoever it is for has an account. Both INVITED and ACTIVE seats count; a REMOVED one is free."""

    INVITED = "INVITED"
    ACTIVE = "ACTIVE"
    REMOVED = "REMOVED"


class SeatEvent(Document):
    """What happened to a seat: whose it was, and whose it became."""

    action: str
    email: str
    at: datetime


class AutoRecharge(Document):
    """How a team's pool is filled up: when what is left of a unit is worth `threshold` or less, for `amount` at most at
    once, and for `max_period_spend` at most in a month (None: for any sum). Minor units of the subscription's currency.

    `stopped`: why it was switched off where its owner did not (the code of a decline).
    """

    enabled: bool
    threshold: int
    amount: int
    max_period_spend: int | None = None
    stopped: str | None = None


class Team(Document):
    """A subscription (or financing) that several people use; both have the same id.

    `seats`: how many are in use, the owner's included. `per_member_cap`: how many units each of the others may use of
    the pool within a paid period, all services together (None: as many as there are). `recharge` None: never set.
    `invites`: how many people without an account were mailed an invitation, by the hour (unix time over 3600) of the
    last day.
    """

    id: int
    owner_id: int
    academy_id: int
    financed: bool = False
    seats: int = 1
    per_member_cap: int | None = None
    invites: Mapping[int, int] = {}
    recharge: AutoRecharge | None = None


class Recharge(Document):
    """A unit (by its account's name) of a team's pool is low, or may be: units of it are to be bought."""

    team_id: int
    owner_id: int
    unit: str
    begun_at: datetime


class Seat(Document):
    """A place in a team for somebody else than its owner.

    `turn` counts those who have left it, so that each of them had lots of their own. `refills` are the latest refills
    of the items, of the terms that began at `terms_since`: 0 for what does not come again; where somebody was given it
    who left the place before, when they were removed. A free seat keeps them until its place is taken. `lots_until` is
    the end of access that its lots have. `moving_from`: the holder (kind and id) from whom units have yet to come;
    `closing`: it is free, and its units have yet to end.
    """

    id: int
    team_id: int
    owner_id: int
    academy_id: int
    financed: bool = False
    email: str
    first_name: str = ""
    last_name: str = ""
    user_id: int | None = None
    status: SeatStatus
    invitation_id: int | None = None
    created_at: datetime
    turn: int = 0
    refills: Mapping[str, int] = {}
    terms_since: int = 0
    lots_until: datetime | None = None
    moving_from: tuple[str, int] | None = None
    closing: bool = False
    log: tuple[SeatEvent, ...] = ()

    @property
    def is_live(self) -> bool:
        return self.status is not SeatStatus.REMOVED

    def logged(self, action: str, at: datetime, **changes: object) -> Seat:
        """The seat with these changes, and what happened in its log."""
        after = self.model_copy(update=changes)
        event = SeatEvent(action=action, email=after.email, at=at)
        return after.model_copy(update={"log": (*self.log, event)[-EVENTS_KEPT:]})


class Membership(Document):
    """Says in a person's own partition that they sit in a team of somebody else's."""

    team_id: int
    owner_id: int
    seat_id: int
    financed: bool = False
