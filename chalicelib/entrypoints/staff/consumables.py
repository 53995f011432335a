"""What a person has at an academy, and what its staff give them or take (D67)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from msgspec.structs import asdict
from pydantic import AwareDatetime, Field, StringConstraints

from chalicelib.books.catalog.queries import ServiceNotFound
from chalicelib.books.idempotency.model import KeyReused, RequestInFlight, StoredAnswer
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.store import UserNotFound
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, route
from chalicelib.entrypoints._keyed import keyed, played_back
from chalicelib.entrypoints.academy.account_schemas import ConsumablesOut, ServiceRefOut, consumables_out
from chalicelib.entrypoints.academy.inputs import Ident, Ref
from chalicelib.entrypoints.academy.queries import AcademyQuery
from chalicelib.entrypoints.academy.queries import Ident as IdentInQuery
from chalicelib.entrypoints.staff.inputs import StaffInput, staff_of
from chalicelib.flows.checkout.buy_consumables import ServiceSetNotOffered, ServiceSetRequired
from chalicelib.flows.people.adjustment import REASON_CHARACTERS_MAX, Adjustment
from chalicelib.flows.people.grant import Granted, GrantUnits, InvalidExpiry, SeatsNotGranted, grant
from chalicelib.flows.people.revoke import InsufficientUnits, RevokeUnits, TooManyLots, revoke
from chalicelib.flows.teams.usable import usable_balances

PATH = "/v1/payments/academy/user/{user_id}/consumable"
UNITS_MAX = 1_000_000_000
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=REASON_CHARACTERS_MAX)]


class AdjustmentBody(StaffInput):
    """`how_many`: -1 is unlimited. `reason`: kept in the academy's audit."""

    slugs: ClassVar[Mapping[str, str]] = {
        "how_many": "how-many-is-not-valid",
        "expires_at": "invalid-expires-at",
    }
    missing_slugs: ClassVar[Mapping[str, str]] = {
        "service": "service-is-required",
        "how_many": "how-many-is-required",
        "reason": "reason-is-required",
    }

    service: Ref
    how_many: Literal[-1] | Annotated[int, Field(ge=1, le=UNITS_MAX)]
    reason: Reason


class GrantBody(AdjustmentBody):
    """`expires_at`: an instant with its offset; without one the units last. `set`: the id of the set they are for."""

    expires_at: Annotated[AwareDatetime, Field(strict=False)] | None = None
    set: Ident | None = None


class HolderQuery(AcademyQuery):
    user: IdentInQuery


class AdjustedLotOut(Output):
    """Units of one lot; -1 is an unlimited one."""

    id: str
    how_many: int


class SetOfUnitsOut(Output):
    id: int
    slug: str


class RevokedOut(Output):
    """Units that were taken, of which lots."""

    id: int
    user: int
    service: ServiceRefOut
    how_many: int
    reason: str
    items: list[AdjustedLotOut]


class GrantedOut(RevokedOut):
    """Units that were given. `collected` of them paid at once what the person owed of the service."""

    set: SetOfUnitsOut | None
    expires_at: Instant | None
    collected: int


@route(
    "GET",
    "/v1/payments/academy/service/consumable",
    access=Access.STAFF,
    capability="read_consumable",
    answers={200: ConsumablesOut},
    errors=(AcademyRequired, UserNotFound),
)
def list_held_units(call: Call, query: HolderQuery) -> Answer:
    """What a person can use now at the academy, by set and service."""
    academy_id, table = staff_of(call).academy_id, call.runtime.table
    identity.user(table, query.user)
    found = usable_balances(table, query.user, call.now)
    here = [balance for balance in found if balance.unit.academy_id == academy_id]
    return Answer(200, consumables_out(here, query.user, call.now))


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability="crud_consumable",
    keyed=True,
    answers={201: GrantedOut},
    errors=(
        AcademyRequired,
        UserNotFound,
        ServiceNotFound,
        SeatsNotGranted,
        InvalidExpiry,
        ServiceSetRequired,
        ServiceSetNotOffered,
        KeyReused,
        RequestInFlight,
    ),
)
def grant_units(call: Call, user_id: int, body: GrantBody) -> Answer:
    """Give a person units of a service at the academy. They are nobody's invoice: no refund takes them back."""
    staff = staff_of(call, body)
    command = GrantUnits(
        service=body.service,
        how_many=body.how_many,
        reason=body.reason,
        expires_at=body.expires_at,
        set_id=body.set,
    )
    under = keyed(call, f"grant-{staff.academy_id}-{user_id}", _granted_out)
    done = grant(call.runtime.context(call.now), staff, user_id, command, under)
    return played_back(done) if isinstance(done, StoredAnswer) else _granted_out(done)


@route(
    "POST",
    PATH + "/revoke",
    access=Access.STAFF,
    capability="crud_consumable",
    keyed=True,
    answers={200: RevokedOut},
    errors=(
        AcademyRequired,
        UserNotFound,
        ServiceNotFound,
        InsufficientUnits,
        TooManyLots,
        KeyReused,
        RequestInFlight,
    ),
)
def revoke_units(call: Call, user_id: int, body: AdjustmentBody) -> Answer:
    """Take a person's unspent units, in the order in which they would be spent: all that are asked for, or none.

    Unlimited units are taken by -1, where staff granted them; those of a plan or a purchase end with it.
    """
    staff = staff_of(call, body)
    command = RevokeUnits(service=body.service, how_many=body.how_many, reason=body.reason)
    under = keyed(call, f"revoke-{staff.academy_id}-{user_id}", _revoked_out)
    done = revoke(call.runtime.context(call.now), staff, user_id, command, under)
    return played_back(done) if isinstance(done, StoredAnswer) else _revoked_out(done)


def _granted_out(granted: Granted) -> Answer:
    made = granted.adjustment
    out = GrantedOut(
        **asdict(_adjusted(made)),
        set=None if made.set is None else SetOfUnitsOut(id=made.set.id, slug=made.set.slug),
        expires_at=made.expires_at,
        collected=granted.collected,
    )
    return Answer(201, out)


def _revoked_out(made: Adjustment) -> Answer:
    return Answer(200, _adjusted(made))


def _adjusted(made: Adjustment) -> RevokedOut:
    return RevokedOut(
        id=made.id,
        user=made.user_id,
        service=ServiceRefOut(id=made.service_id, slug=made.service_slug),
        how_many=made.how_many,
        reason=made.reason,
        items=[AdjustedLotOut(id=ident, how_many=units) for ident, units in made.lots],
    )
