"""Instalments and longer periods: charged on their days, and what comes when they are all paid, or not."""

from __future__ import annotations

from decimal import Decimal

import pytest

from chalicelib.books.catalog.model import Period
from chalicelib.books.subscriptions.model import Financing
from tests.books import check_books
from tests.journeys.test_renewals import DECLINED, month
from tests.recurring import holding, live, mails, paid, shown, subscribed, until
from tests.shop import a_plan, put
from tests.world import World


class TestInstalments:
    def test_are_charged_each_month_and_then_it_is_paid(self, world: World) -> None:
        person = subscribed(world, "bootcamp", chosen_period=None, how_many_installments=12)
        assert paid(person) == [299.0]
        for number in range(1, 12):
            until(world, month(number))
            assert paid(person) == [299.0] * (number + 1)
        found = shown(person, "FULLY_PAID")
        assert (found["installments_paid"], found["next_payment_at"]) == (12, None)
        assert len(mails(world, "All instalments")) == 1
        live(world, 25)
        assert person.units("ai-chat") == 5000
        live(world, 10)
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [0, 0, 0]
        ended = holding(person)
        assert isinstance(ended, Financing)
        assert ended.ended_at is not None
        check_books(world)

    def test_that_are_refused_end_the_access(self, world: World) -> None:
        person = subscribed(world, "bootcamp", chosen_period=None, how_many_installments=12)
        assert person.save_card(DECLINED).status == 200
        until(world, month(1))
        assert shown(person)["status"] == "PAYMENT_ISSUE"
        assert person.units("all-courses") == -1
        live(world, 9)
        assert shown(person, "EXPIRED")["status"] == "EXPIRED"
        assert [person.units(slug) for slug in ("ai-chat", "mentorship-service", "all-courses")] == [0, 0, 0]
        check_books(world)


class TestPeriods:
    @pytest.mark.parametrize("period", [Period.QUARTER, Period.HALF])
    def test_that_are_longer_are_charged_by_their_length(self, world: World, period: Period) -> None:
        prices = {period: Decimal(100)}
        put(world.table, a_plan(world.now, world.academy_id, id=1077, slug="longer", prices=prices))
        person = subscribed(world, "longer", chosen_period=period.value)
        until(world, month(period.months))
        assert paid(person) == [100.0, 100.0]
