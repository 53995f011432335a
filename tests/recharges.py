"""Recharges for tests: an owner whose pool is filled up, uses that leave it low, and what was bought."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from chalicelib.books.catalog.model import Period, PlanItem, Strategy
from chalicelib.books.teams import queries
from chalicelib.books.teams.queries import StoredRecharge
from chalicelib.books.teams.recharge_store import gone_recharge, recharge_key
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import commit
from tests.recurring import holding
from tests.shop import CHAT as CHAT_ID
from tests.shop import MENTORING as MENTORING_ID
from tests.shop import SEAT, a_plan, an_item, put
from tests.teams import MENTORING, an_owner, path_of, team
from tests.world import Person, Reply, World

NINETY = 90.0
SETTINGS = {"auto_recharge_enabled": True, "recharge_threshold_amount": "50.00", "recharge_amount": 100}


def recharging(world: World, **changes: Any) -> Person:
    """Two mentorships a month are pooled, fifty dollars each; at one left, two more are bought for ninety."""
    owner = an_owner(world)
    recharged(owner, **changes)
    return owner


def recharged(owner: Person, **changes: Any) -> Any:
    """Let the owner's pool be filled up, and bring what follows of it to its end; answers the team."""
    answer = owner.put(path_of(owner), SETTINGS | changes)
    assert answer.status == 200, answer.text
    owner.world.settle()
    return team(owner)


def with_two_units(world: World) -> Person:
    """The owner of a pool of two mentorships, worth a hundred dollars, and of six thousand chats, worth sixty."""
    items = (
        PlanItem(link_id=1, item_id=7, service_id=CHAT_ID),
        PlanItem(link_id=2, item_id=2, service_id=MENTORING_ID),
    )
    put(
        world.table,
        an_item(id=7, how_many=6000, is_team_allowed=True),
        a_plan(
            world.now,
            world.academy_id,
            id=2002,
            slug="pair",
            prices={Period.MONTH: 2000},
            seat_service_id=SEAT,
            seats_included=3,
            consumption_strategy=Strategy.PER_TEAM,
            items=items,
        ),
    )
    return an_owner(world, "pair")


def use(person: Person, name: str, service: str = MENTORING) -> Reply:
    return person.put(f"/v1/payments/me/service/{service}/consumptionsession/{name}")


def bought(owner: Person, *statuses: str) -> list[float]:
    """The amounts of the recharges with these statuses (FULFILLED), the oldest first."""
    wanted = statuses or ("FULFILLED",)
    every = "FULFILLED,PENDING,REJECTED,REFUNDED,PARTIALLY_REFUNDED,VOIDED"
    found = [one for one in owner.invoices(limit="100", status=every) if one["amount"] < 1000]
    return [one["amount"] for one in reversed(found) if one["status"] in wanted]


def recharges(owner: Person) -> list[StoredRecharge]:
    """What waits to be bought, or is being paid."""
    return queries.recharges(owner.world.table, holding(owner).id)


def key_of(stored: StoredRecharge) -> Key:
    return recharge_key(stored.recharge.team_id, stored.recharge.unit)


def spent(owner: Person) -> str:
    found: str = team(owner)["current_period_spend"]
    return found


def emptied(world: World) -> Person:
    """The owner of an empty pool that is to be filled up, and for which nothing waits to be bought."""
    owner = an_owner(world)
    assert [use(owner, name).status for name in ("one", "two")] == [201, 201]
    with patch.object(world.queue, "lost", True):
        recharged(owner)
    (waiting,) = recharges(owner)
    commit(world.table, [gone_recharge(key_of(waiting), version=waiting.version)])
    return owner
