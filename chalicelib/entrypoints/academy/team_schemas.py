"""Teams as their owner sends and sees them."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from chalicelib.books.identity.credentials import EMAIL_CHARACTERS_MAX
from chalicelib.books.identity.model import NAME_CHARACTERS_MAX, InvalidName, User, checked_name
from chalicelib.books.subscriptions.cycle import coming_terms
from chalicelib.books.subscriptions.model import Financing
from chalicelib.books.teams.model import Seat, SeatStatus
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Instant, Output
from chalicelib.entrypoints.academy.inputs import Ident
from chalicelib.entrypoints.academy.schemas import CurrencyOut, currency_out
from chalicelib.flows.checkout.check import SEATS_MAX
from chalicelib.flows.recurring.resizing import included_seats
from chalicelib.flows.teams.fill_seats import Filled, FillSeats, Replacement, Sitter
from chalicelib.flows.teams.find import OwnTeam
from chalicelib.flows.teams.rules import RechargeRules, Rules, recharge_of
from chalicelib.flows.teams.seats import period_of
from chalicelib.kernel.money import Money

SEATS_AT_ONCE_MAX = 20
AMOUNT_MAX = 1_000_000_000
WRITTEN = re.compile(r"[0-9]{1,10}(\.[0-9]{1,10})?", re.ASCII)


def _name(text: str) -> str:
    try:
        return checked_name(text) if text.strip() else ""
    except InvalidName as error:
        raise ValueError(error.sentence) from None


def _exact(value: Any) -> Any:
    """A JSON number as it was written, or the same in a string; everything else is refused by the field itself."""
    if isinstance(value, str) and WRITTEN.fullmatch(value):
        return Decimal(value)
    return Decimal(str(value)) if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Amount = Annotated[Decimal, BeforeValidator(_exact, json_schema_input_type=float | str), Field(ge=0, le=AMOUNT_MAX)]
"""In major units, as a number or in a string, as it is answered."""
Email = Annotated[str, Field(max_length=EMAIL_CHARACTERS_MAX)]
Name = Annotated[str, Field(max_length=NAME_CHARACTERS_MAX), AfterValidator(_name)]


class AddSeatBody(Input):
    """Whoever has this e-mail; somebody without an account is invited."""

    email: Email
    user: Ident | None = None
    first_name: Name = ""
    last_name: Name = ""


class ReplaceSeatBody(Input):
    """Somebody's seat goes to somebody else, with what is left of its units."""

    from_email: Email
    to_email: Email
    to_user: Ident | None = None
    first_name: Name = ""
    last_name: Name = ""


class SeatsBody(Input):
    """At most 20 of each at once; first all that are added, then all that are replaced.

    A free place that somebody had goes on where they left it: whoever is added gets its units from their next refill
    on, and those that do not come again with the next paid period. What somebody has left goes to whoever replaces
    them.
    """

    add_seats: list[AddSeatBody] = Field(default_factory=list, max_length=SEATS_AT_ONCE_MAX)
    replace_seats: list[ReplaceSeatBody] = Field(default_factory=list, max_length=SEATS_AT_ONCE_MAX)


class SeatEventOut(Output):
    """ADDED, ACCEPTED (by whoever was invited), REPLACED or REMOVED."""

    action: str
    email: str
    created_at: Instant


class SeatOut(Output):
    """A seat. `user` is null until whoever is invited has accepted; one that is not active is free for others.

    The owner's own has the id of what they pay for.
    """

    id: int
    email: str
    user: int | None
    first_name: str
    last_name: str
    is_active: bool
    seat_log: list[SeatEventOut]


class SeatErrorOut(Output):
    """What was refused of the list, and why: `code` is the slug."""

    email: str
    message: str
    code: str


class SeatsOut(Output):
    """The seats that were filled, and what was refused."""

    data: list[SeatOut]
    errors: list[SeatErrorOut]


class TeamBody(Input):
    """`seats`: the new total, the owner's included: more are paid for now, fewer come with the next payment.

    `per_member_cap`: how many units of the pool each of the others may use in a period; null: as many as there are.

    `auto_recharge_enabled`: whether more is bought for the pool, with the owner's card, once what is left of a service
    is worth `recharge_threshold_amount` or less: as many units as `recharge_amount` buys. Recharges of a month come to
    `max_period_spend` at most; null: to any sum. Amounts are in the currency of the subscription.
    """

    seats: int | None = Field(default=None, ge=1, le=SEATS_MAX)
    per_member_cap: int | None = Field(default=None, ge=0, le=1_000_000_000)
    auto_recharge_enabled: bool | None = None
    recharge_threshold_amount: Amount | None = None
    recharge_amount: Annotated[Amount, Field(gt=0)] | None = None
    max_period_spend: Amount | None = None

    @model_validator(mode="after")
    def _says_something(self) -> TeamBody:
        clear = self.model_fields_set & {"per_member_cap", "max_period_spend"}
        given = [self.seats, self.auto_recharge_enabled, self.recharge_threshold_amount, self.recharge_amount]
        if not clear and all(value is None for value in given):
            raise ValueError("give `seats`, `per_member_cap`, or what is said of recharges")
        return self


class LimitEventOut(Output):
    """How many seats there were, and how many there are from then on."""

    action: str
    before: int
    after: int
    created_at: Instant


class TeamOut(Output):
    """A team. `seats_limit`: how many seats are paid for, of which `additional_seats` beyond those of the plan;
    `seats_count`: how many are in use, the owner's and those of the invited included. `planned_seats`: how many there
    are from the next payment on. Amounts of recharges are decimals in strings; `auto_recharge_stopped`: why nothing is
    bought any more, such as the code of a decline, until `auto_recharge_enabled` is set again. `current_period_spend`:
    what the recharges of the month came to, from `spend_period_start` to `spend_period_end`; `period_start` and
    `period_end` are those of what is paid, for which the cap holds.
    """

    id: int
    subscription: int | None
    plan_financing: int | None
    name: str
    seats_limit: int
    additional_seats: int
    planned_seats: int
    seats_count: int
    seats_log: list[LimitEventOut]
    consumption_strategy: str
    per_member_cap: int | None
    auto_recharge_enabled: bool
    auto_recharge_stopped: str | None
    recharge_threshold_amount: str
    recharge_amount: str
    max_period_spend: str | None
    current_period_spend: str
    spend_period_start: Instant
    spend_period_end: Instant
    period_start: Instant
    period_end: Instant | None
    currency: CurrencyOut


def command_of(body: SeatsBody) -> FillSeats:
    adding = [
        Sitter(email=one.email, user_id=one.user, first_name=one.first_name, last_name=one.last_name)
        for one in body.add_seats
    ]
    replacing = [
        Replacement(
            one.from_email,
            Sitter(email=one.to_email, user_id=one.to_user, first_name=one.first_name, last_name=one.last_name),
        )
        for one in body.replace_seats
    ]
    return FillSeats(adding, replacing)


def rules_of(body: TeamBody) -> Rules:
    given = body.model_fields_set
    recharge = RechargeRules(
        enabled=body.auto_recharge_enabled,
        threshold=body.recharge_threshold_amount,
        amount=body.recharge_amount,
        limited="max_period_spend" in given,
        max_period_spend=body.max_period_spend,
    )
    return Rules(
        capped="per_member_cap" in given,
        cap=body.per_member_cap,
        recharge=None if recharge == RechargeRules() else recharge,
    )


def team_out(found: OwnTeam, *, month: tuple[datetime, datetime], spent: int) -> TeamOut:
    """`spent`, in minor units, for recharges in the month that is under way."""
    holding, team = found.holding, found.team
    terms, recharge = holding.terms, recharge_of(team, holding.terms)
    financed, most = isinstance(holding, Financing), recharge.max_period_spend
    starts, ends = period_of(holding)
    return TeamOut(
        id=team.id,
        subscription=None if financed else holding.id,
        plan_financing=holding.id if financed else None,
        name=f"Team {team.id}",
        seats_limit=terms.seats,
        additional_seats=terms.seats - included_seats(terms),
        planned_seats=coming_terms(holding).seats,
        seats_count=team.seats,
        seats_log=[
            LimitEventOut(action="LIMIT_UPDATED", before=one.before, after=one.after, created_at=one.at)
            for one in (() if isinstance(holding, Financing) else holding.seats_log)
        ],
        consumption_strategy=terms.strategy,
        per_member_cap=team.per_member_cap,
        auto_recharge_enabled=recharge.enabled,
        auto_recharge_stopped=recharge.stopped,
        recharge_threshold_amount=_shown(recharge.threshold, terms.currency),
        recharge_amount=_shown(recharge.amount, terms.currency),
        max_period_spend=None if most is None else _shown(most, terms.currency),
        current_period_spend=_shown(spent, terms.currency),
        spend_period_start=month[0],
        spend_period_end=month[1],
        period_start=starts,
        period_end=ends,
        currency=currency_out(terms.currency),
    )


def _shown(amount: int, currency: str) -> str:
    """Minor units as a decimal in a string, with as many decimals as the currency has."""
    return str(Money(amount, currency).major)


def seat_out(seat: Seat) -> SeatOut:
    return SeatOut(
        id=seat.id,
        email=seat.email,
        user=seat.user_id if seat.is_live else None,
        first_name=seat.first_name,
        last_name=seat.last_name,
        is_active=seat.status is not SeatStatus.REMOVED,
        seat_log=[SeatEventOut(action=one.action, email=one.email, created_at=one.at) for one in seat.log],
    )


def owner_seat_out(found: OwnTeam, owner: User) -> SeatOut:
    return SeatOut(
        id=found.team.id,
        email=owner.email,
        user=owner.id,
        first_name=owner.first_name,
        last_name=owner.last_name,
        is_active=True,
        seat_log=[],
    )


def seats_out(filled: Filled) -> SeatsOut:
    return SeatsOut(
        data=[seat_out(seat) for seat in filled.seats],
        errors=[SeatErrorOut(email=email, message=error.sentence, code=error.slug) for email, error in filled.refused],
    )
