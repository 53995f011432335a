"""A team's pool that runs low is filled up by itself, once, with its owner's card, within a month's limit (D62, D74)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.teams import queries
from chalicelib.dynamo.writes import commit as really_commit
from chalicelib.entrypoints import workers
from chalicelib.flows.metering import consume as consuming
from tests.books import check_books
from tests.recharges import FORTY_FIVE, NINETY, bought, recharged, recharges, spent, use
from tests.recurring import holding, live, mails, paid, run
from tests.staffing import refused
from tests.teams import MENTORING, an_owner, path_of, seated, team
from tests.world import Person, Reply, World, batch


@pytest.fixture
def owner(world: World) -> Person:
    """Two mentorships a month are pooled, fifty dollars each; at one left, two more are bought for ninety."""
    found = an_owner(world)
    recharged(found)
    return found


@pytest.fixture
def member(owner: Person, world: World) -> Person:
    found = world.person()
    seated(owner, found)
    return found


class TestAPoolThatRunsLow:
    def test_is_filled_up_by_the_owners_card(self, owner: Person, member: Person, world: World) -> None:
        assert use(member, "one").status == 201
        run(world)
        assert (owner.units(MENTORING), bought(owner)) == (3, [NINETY])
        assert (team(owner)["current_period_spend"], recharges(owner)) == ("90.00", [])
        assert mails(world, "Your receipt, 90.00 USD") == [owner.email]
        (intent,) = [one for one in world.at_stripe("payment_intent") if one["amount"] == 9000]
        assert intent["setup_future_usage"] is None
        check_books(world)
