"""What begins with a paid invoice."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import asdict

from chalicelib.books.ledger.model import Holder, SetRef, Source
from chalicelib.books.subscriptions.model import Status
from chalicelib.flows.fulfillment.delivery import Access, Delivery, PlanDelivery, UnitsDelivery
from chalicelib.flows.fulfillment.plan import Fulfillment, fulfillment
from chalicelib.kernel.errors import Defect
from chalicelib.kernel.periods import Unit
from tests.billing_rows import INVOICE, NOW, USER, a_term_item, a_unit, an_invoice, some_terms

PERSON, TEAM = Holder.person(USER), Holder.team(INVOICE)


def on(month: int, day: int, year: int = 2026) -> datetime:
    return datetime(year, month, day, 12, tzinfo=UTC)


def of_plan(access: Access = Access.SUBSCRIPTION, *, paid_at: datetime = NOW, **delivery: Any) -> Fulfillment:
    terms = some_terms(**delivery.pop("terms", {}))
    plan = PlanDelivery(access=access, terms=terms, **delivery)
    return fulfillment(an_invoice(), Delivery(plan=plan), paid_at)


def of_units(**delivery: Any) -> Fulfillment:
    units = UnitsDelivery.model_validate({"unit": a_unit(), "how_many": 10} | delivery)
    return fulfillment(an_invoice(), Delivery(units=units), NOW)


class TestASubscription:
    def test_is_paid_for_one_period_from_the_payment(self) -> None:
        made = of_plan().subscription
        assert made is not None
        assert (made.id, made.user_id, made.status) == (INVOICE, USER, Status.ACTIVE)
        assert (made.origin, made.paid_at, made.paid_until) == (NOW, NOW, on(2, 28))
        assert (made.next_payment_at, made.periods_paid, made.invoice_ids) == (on(2, 28), 1, (INVOICE,))
        assert made.trial_ends_at is None

    def test_begins_at_a_whole_second(self) -> None:
        made = of_plan(paid_at=NOW.replace(microsecond=999_999))
        assert made.subscription is not None
        assert made.subscription.origin == NOW
        assert made == of_plan()

    def test_grants_its_units_until_their_renewal(self) -> None:
        (granting,) = of_plan(terms={"pay_every_unit": "YEAR"}).grantings
        (grant,) = granting.grants
        assert granting.holder == PERSON
        assert (grant.lot_id, grant.how_many, grant.expires_at) == (f"{INVOICE}_1_0", 100, on(2, 28))
        origin = grant.origin
        assert (origin.source, origin.subscription_id, origin.financing_id) == (Source.PLAN, INVOICE, None)

    def test_grants_what_does_not_renew_until_the_access_ends(self) -> None:
        terms = {"pay_every_unit": "YEAR", "items": (a_term_item(is_renewable=False, how_many=-1),)}
        (granting,) = of_plan(terms=terms).grantings
        assert (granting.grants[0].how_many, granting.grants[0].expires_at) == (-1, on(1, 31, 2027))


class TestATrial:
    def test_begins_the_paid_calendar_at_its_end(self) -> None:
        made = of_plan(Access.TRIAL, trial_every=7, trial_unit=Unit.DAY)
        assert made.subscription is not None
        assert (made.subscription.status, made.subscription.periods_paid) == (Status.FREE_TRIAL, 0)
        ends = on(2, 7)
        subscription = made.subscription
        assert {subscription.origin, subscription.paid_until, subscription.next_payment_at} == {ends}
        assert subscription.trial_ends_at == ends
        assert made.grantings[0].grants[0].expires_at == ends


class TestAFinancing:
    def test_is_paid_monthly_from_its_first_instalment(self) -> None:
        made = of_plan(Access.FINANCING, instalments=12, life_every=6).financing
        assert made is not None
        assert (made.id, made.status, made.installments_paid, made.how_many_installments) == (
            INVOICE,
            Status.ACTIVE,
            1,
            12,
        )
        assert (made.next_payment_at, made.plan_expires_at, made.monthly_amount) == (on(2, 28), on(1, 31, 2027), 5999)

    def test_of_one_payment_is_fully_paid_for_the_plans_life(self) -> None:
        made = of_plan(Access.FINANCING, life_every=6).financing
        assert made is not None
        assert (made.status, made.next_payment_at, made.plan_expires_at) == (Status.FULLY_PAID, None, on(7, 31))

    def test_grants_its_units_as_a_financings(self) -> None:
        made = of_plan(Access.FINANCING, instalments=12, terms={"items": (a_term_item(is_renewable=False),)})
        (grant,) = made.grantings[0].grants
        assert (grant.origin.subscription_id, grant.origin.financing_id) == (None, INVOICE)
        assert grant.expires_at == on(1, 31, 2027)
        assert made.subscription is None


class TestPooledItems:
    def test_go_to_the_teams_pool_that_the_person_may_use(self) -> None:
        items = (a_term_item(), a_term_item(link_id="2", service_id=52, pooled=True))
        made = of_plan(terms={"items": items})
        assert [(granting.holder, granting.unit.service_id) for granting in made.grantings] == [
            (PERSON, 93),
            (TEAM, 52),
        ]
        assert made.grantings[1].grants[0].origin.team_id == INVOICE
        assert made.pools == (TEAM,)

    def test_alone_make_a_pool(self) -> None:
        assert of_plan().pools == ()


class TestGrants:
    def test_of_one_unit_are_one_write(self) -> None:
        """A transaction names a row once."""
        mentors = SetRef(kind="mentorship_service", id=1, slug="mentors")
        items = (
            a_term_item(link_id="1"),
            a_term_item(link_id="2", is_renewable=False),
            a_term_item(link_id="3", set=asdict(mentors)),
        )
        made = of_plan(terms={"items": items})
        assert [[grant.lot_id for grant in granting.grants] for granting in made.grantings] == [
            [f"{INVOICE}_1_0", f"{INVOICE}_2_0"],
            [f"{INVOICE}_3_0"],
        ]
        assert made.grantings[1].unit.set == mentors

    def test_follow_from_the_invoice_so_that_a_repeat_is_the_same(self) -> None:
        assert of_plan() == of_plan()
        assert of_units() == of_units()


class TestUnits:
    @pytest.mark.parametrize(("live", "expires_at"), [({}, None), ({"live_every": 1}, on(2, 28))])
    def test_never_expire_unless_the_price_says_so(self, live: dict[str, Any], expires_at: datetime | None) -> None:
        made = of_units(**live)
        (granting,) = made.grantings
        (grant,) = granting.grants
        assert (granting.holder, grant.lot_id, grant.how_many) == (PERSON, f"{INVOICE}_units_0", 10)
        assert grant.expires_at == expires_at
        assert (grant.origin.source, grant.origin.subscription_id) == (Source.PURCHASE, None)
        assert (made.subscription, made.financing, made.pools) == (None, None, ())


class TestNothing:
    def test_is_a_defect(self) -> None:
        with pytest.raises(Defect, match="delivers nothing"):
            fulfillment(an_invoice(), Delivery(), NOW)
