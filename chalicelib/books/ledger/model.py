"""The types of the ledger. Units are whole numbers; an unlimited lot has no count."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from chalicelib.kernel.documents import Document
from chalicelib.kernel.quantity import Finite, Quantity, Unlimited

LOTS_PER_PAGE_MAX = 60


@dataclass(frozen=True, slots=True)
class Holder:
    """Who owns units: a person, the pool of a team (named by its subscription), or an empty seat of one."""

    kind: str
    id: int

    @classmethod
    def person(cls, user_id: int) -> Holder:
        return cls("USER", user_id)

    @classmethod
    def team(cls, subscription_id: int) -> Holder:
        return cls("TEAM", subscription_id)

    @classmethod
    def seat(cls, seat_id: int) -> Holder:
        return cls("SEAT", seat_id)

    @property
    def partition(self) -> str:
        return f"LEDGER#{self.kind}#{self.id}"


class SetRef(Document):
    """The set that units are for. `kind` is cohort, mentorship_service or event_type."""

    kind: str
    id: int
    slug: str


class Unit(Document):
    """What an account counts: a service at an academy, for one set or for itself.

    The service's slug, type and session length are those of the latest grant: a use finds them without another read.
    """

    academy_id: int
    service_id: int
    service_slug: str
    service_type: str
    session_seconds: int | None = None
    set: SetRef | None = None

    @property
    def name(self) -> str:
        """The account's name within its holder's partition."""
        of_set = "-" if self.set is None else f"{self.set.kind}.{self.set.id}"
        return f"{self.academy_id}#{self.service_id}#{of_set}"


class Source(StrEnum):
    """Where a lot came from."""

    PLAN = "plan"
    PURCHASE = "purchase"
    STAFF = "staff"


class Origin(Document):
    """Why a lot exists: the source, the invoice that paid (None: staff gave it), and what it belongs to."""

    source: Source
    invoice_id: int | None = None
    subscription_id: int | None = None
    financing_id: int | None = None
    team_id: int | None = None
    seat_id: int | None = None


class Grant(Document):
    """Units to be given. `lot_id` follows from the cause, so that the same grant is given once. -1 is unlimited."""

    lot_id: str
    unit: Unit
    how_many: int
    expires_at: datetime | None
    origin: Origin


class Lot(Document):
    """Units that came together. `remaining` is -1 for unlimited; `held` are set aside by a reservation.

    `frozen` units (-1 for unlimited) belong to the holder and cannot be used: their payment is disputed. `cut_short`: a
    refund ended it before its time, which is `own_end`.
    """

    id: str
    remaining: int
    held: int = 0
    frozen: int = 0
    granted: int
    expires_at: datetime | None
    created_at: datetime
    origin: Origin
    cut_short: bool = False
    uncut_end: datetime | None = None

    @property
    def own_end(self) -> datetime | None:
        """When it ends, whatever refunds made of that."""
        return self.uncut_end if self.cut_short else self.expires_at

    @property
    def quantity(self) -> Quantity:
        return Unlimited() if self.remaining < 0 else Finite(self.remaining)

    def usable(self, now: datetime) -> bool:
        return self.remaining != 0 and (self.expires_at is None or self.expires_at > now)


class Owed(Document):
    """Units that a refund took back and that had been spent before. `grant_id` is the entry that granted them.

    `collect`: they are taken out of whatever the account gets next; otherwise only if the uses come back.
    """

    grant_id: str
    invoice_id: int
    units: int
    collect: bool


class Balance(Document):
    """One page of an account's open lots, as it was read.

    `turns` counts the reversals and retimings of its lots, `disputed` are the invoices whose grants are frozen; `heads`
    are the hashes of the entries that no later one names; `look_at` is when expired lots are looked for.
    """

    holder_kind: str
    holder_id: int
    unit: Unit
    page: int
    lots: tuple[Lot, ...]
    owed: tuple[Owed, ...] = ()
    turns: int = 0
    disputed: tuple[int, ...] = ()
    heads: tuple[str, ...] = ()
    look_at: datetime | None = None

    @property
    def holder(self) -> Holder:
        return Holder(self.holder_kind, self.holder_id)

    @property
    def debt(self) -> int:
        """Units that the account gets next and that are owed already."""
        return sum(owed.units for owed in self.owed if owed.collect)


class EntryKind(StrEnum):
    GRANT = "grant"
    CONSUME = "consume"
    RELEASE = "release"
    REVERSE = "reverse"
    RESTORE = "restore"
    REVOKE = "revoke"
    RETIME = "retime"
    MOVE = "move"
    EXPIRE = "expire"


SIGNS = {
    EntryKind.GRANT: 1,
    EntryKind.CONSUME: -1,
    EntryKind.RELEASE: 1,
    EntryKind.REVERSE: -1,
    EntryKind.RESTORE: 1,
    EntryKind.REVOKE: -1,
    EntryKind.RETIME: 0,
    EntryKind.MOVE: -1,
    EntryKind.EXPIRE: -1,
}
"""Into the account or out of it. A reversal takes back what a refund returned the money for; a restore undoes it. Staff
revoke units with no money going back. A retiming moves none: its portions say when their lots end from then on. A move
takes the units of a seat to whoever sits there next, who is granted them. What has expired goes out when its lot is
cleared away.
"""


class Portion(Document):
    """Units of one lot that an entry moved, with what is needed to give them back to the same lot."""

    lot_id: str
    units: int
    page: int
    unlimited: bool = False
    granted: int = 0
    expires_at: datetime | None = None
    created_at: datetime | None = None
    origin: Origin | None = None


class Entry(Document):
    """One movement of one page of one account; never changed. `units` is positive into it, negative out of it.

    An unlimited grant moves no countable units: `units` is 0 and its portion says `unlimited`. `parents` are the hashes
    of the entries before it, written when it is stored (`chain.py`); None for one that is older than hashes are.
    """

    id: str
    kind: EntryKind
    unit: Unit
    units: int
    portions: tuple[Portion, ...]
    cause: str
    at: datetime
    parents: tuple[str, ...] | None = None
