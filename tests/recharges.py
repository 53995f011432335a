"""Recharges for tests: an owner whose pool is filled up, uses that leave it low, and what was bought."""

from __future__ import annotations

from typing import Any

from chalicelib.books.teams import queries
from chalicelib.books.teams.queries import StoredRecharge
from tests.recurring import holding
from tests.teams import MENTORING, path_of, team
from tests.world import Person, Reply

NINETY, FORTY_FIVE = 90.0, 45.0
SETTINGS = {"auto_recharge_enabled": True, "recharge_threshold_amount": "50.00", "recharge_amount": 100}


def recharged(owner: Person, **changes: Any) -> Any:
    """Let the owner's pool be filled up; answers the team."""
    answer = owner.put(path_of(owner), SETTINGS | changes)
    assert answer.status == 200, answer.text
    owner.world.settle()
    return team(owner)


def use(person: Person, name: str, service: str = MENTORING) -> Reply:
    return person.put(f"/v1/payments/me/service/{service}/consumptionsession/{name}")


def bought(owner: Person, *statuses: str) -> list[float]:
    """The amounts of the recharges with these statuses, the oldest first."""
    wanted = statuses or ("FULFILLED",)
    found = [one for one in reversed(owner.invoices(limit="100", status="FULFILLED,PENDING,REJECTED,REFUNDED,VOIDED"))]
    return [one["amount"] for one in found if one["amount"] < 1000 and one["status"] in wanted]


def recharges(owner: Person) -> list[StoredRecharge]:
    """What waits to be bought, or is being paid."""
    return queries.recharges(owner.world.table, holding(owner).id)


def spent(owner: Person) -> str:
    found: str = team(owner)["current_period_spend"]
    return found
