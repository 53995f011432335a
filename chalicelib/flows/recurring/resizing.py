"""Terms with another number of seats. Pure: what a seat costs was agreed, and everything else stays as it is."""

from __future__ import annotations

from chalicelib.books.catalog.model import ServicePrice
from chalicelib.books.catalog.pricing import (
    SEATS_LINE,
    DraftLine,
    MultipleCurrenciesFound,
    UnitPrice,
    country_price,
    priced,
)
from chalicelib.books.subscriptions.model import Subscription, Terms
from chalicelib.books.teams.model import Team
from chalicelib.books.teams.queries import StoredTeam, read_team
from chalicelib.books.teams.store import unchanged_team
from chalicelib.dynamo.rows import Row
from chalicelib.dynamo.writes import Write
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.money import exact
from chalicelib.kernel.quotes import Step


class PlanWithoutSeats(DomainError):
    slug = "plan-does-not-support-team-seats"
    detail = "No seats can be bought for this plan."


class SeatsInUse(DomainError):
    kind = Kind.CONFLICT
    slug = "seats-in-use"
    detail = "{used} seats are in use: remove somebody first."


class SeatsIncluded(DomainError):
    slug = "seats-included-in-plan"
    detail = "The plan comes with {included} seats: there cannot be fewer."


def included_seats(terms: Terms) -> int:
    """How many seats come with the plan."""
    return terms.seats - sum(line.quantity for line in terms.lines if line.id == SEATS_LINE)


def nobody_seated(holding: Subscription, terms: Terms, team_row: Row | None) -> tuple[Write, ...]:
    """Where these terms have fewer seats: nobody is seated meanwhile. Raises SeatsInUse where they are too few."""
    if terms.seats >= holding.terms.seats:
        return ()
    alone = Team(id=holding.id, owner_id=holding.user_id, academy_id=holding.terms.academy_id)
    stored = StoredTeam(alone, 0) if team_row is None else read_team(team_row)
    if stored.team.seats > terms.seats:
        raise SeatsInUse(used=stored.team.seats)
    return (unchanged_team(stored.team, version=stored.version),)


def seat_price(terms: Terms) -> UnitPrice | None:
    """What one seat costs for a period, as agreed; None: no seat was bought yet."""
    line = next((line for line in terms.lines if line.id == SEATS_LINE), None)
    if line is None:
        return None
    amount = line.unit_price / line.quantity
    agreed = Step(rule="agreed-price", input=f"{line.quantity} seats at {line.unit_price}", result=str(amount))
    return UnitPrice(amount=amount, currency=terms.currency, steps=(agreed,))


def seat_price_now(price: ServicePrice | None, terms: Terms) -> UnitPrice:
    """What one seat costs today for a period, in the country of the purchase.

    Raises PlanWithoutSeats, MultipleCurrenciesFound.
    """
    if price is None:
        raise PlanWithoutSeats
    found = country_price(price.price_per_unit, price.currency, price.countries, country=terms.country, field="price")
    if found.currency != terms.currency:
        raise MultipleCurrenciesFound(currencies=f"{terms.currency} and {found.currency}")
    return found.model_copy(update={"amount": exact(found.amount, terms.period.months)})


def resized(terms: Terms, seats: int, price: UnitPrice | None) -> Terms:
    """So many seats, the owner's included; `price` is one's for a period. Raises PlanWithoutSeats, SeatsIncluded."""
    included = included_seats(terms)
    extra = seats - included
    if extra < 0:
        raise SeatsIncluded(included=included)
    lines = [line for line in terms.lines if line.id != SEATS_LINE]
    if extra:
        if price is None:
            raise PlanWithoutSeats
        months = terms.period.months
        whole = exact(price.amount, extra)
        step = Step(rule="seats", input=f"{extra} seats", result=str(whole))
        draft = DraftLine(
            id=SEATS_LINE,
            description=f"{extra} further seats",
            quantity=extra,
            months=months,
            price=UnitPrice(amount=whole, currency=price.currency, steps=(*price.steps, step)),
        )
        lines[1:1] = priced([draft]).lines
    full = sum(line.full_amount for line in lines)
    return terms.model_copy(update={"seats": seats, "lines": tuple(lines), "full_amount": full})
