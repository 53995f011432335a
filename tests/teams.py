"""Teams for tests: an owner who pays for seats, and what the API says of them."""

from __future__ import annotations

from typing import Any

from tests.recurring import holding, subscribed
from tests.world import Person, Reply, World

CHAT, MENTORING, COURSES = "ai-chat", "mentorship-service", "all-courses"


def an_owner(world: World, plan: str = "team", **pay: Any) -> Person:
    """Somebody who pays the team's plan by the month: five seats, unless said otherwise."""
    return subscribed(world, plan, **pay)


def path_of(owner: Person, rest: str = "") -> str:
    return f"/v2/payments/subscription/{holding(owner).id}/billing-team{rest}"


def team(owner: Person) -> Any:
    answer = owner.get(path_of(owner))
    assert answer.status == 200, answer.text
    return answer.json


def fill(owner: Person, *emails: str, replace: dict[str, str] | None = None) -> Reply:
    """Give seats to those with these e-mails, and seats of some to others."""
    body = {
        "add_seats": [{"email": email} for email in emails],
        "replace_seats": [{"from_email": old, "to_email": new} for old, new in (replace or {}).items()],
    }
    return owner.put(path_of(owner, "/seat"), body)


def seated(owner: Person, *people: Person) -> list[Any]:
    """The seats that these people were given."""
    answer = fill(owner, *(person.email for person in people))
    assert (answer.status, answer.json["errors"]) == (207, []), answer.text
    owner.world.settle()
    seats: list[Any] = answer.json["data"]
    return seats


def codes(answer: Reply) -> list[str]:
    assert answer.status == 207, answer.text
    return [error["code"] for error in answer.json["errors"]]
