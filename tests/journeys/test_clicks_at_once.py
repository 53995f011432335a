"""Two clicks at once under one key: both are answered alike, whichever of them brings the purchase to its end."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.dynamo.writes import commit as really_commit
from chalicelib.flows.checkout import charge as charging
from tests.teams import an_owner
from tests.world import Person, Reply, World

DECLINED = "4000000000000341"


def units(person: Person, key: str) -> Reply:
    return person.buy(headers={"Idempotency_Key": key})


def seats(person: Person, key: str) -> Reply:
    subscription = person.get("/v1/payments/me/subscription").json["subscriptions"][0]["id"]
    return person.buy("seat", 1, subscription=subscription, headers={"Idempotency_Key": key})


@pytest.mark.parametrize("buy", [units, seats])
def test_of_the_last_attempt_are_answered_alike(world: World, buy: Any) -> None:
    person = an_owner(world)
    assert person.save_card(DECLINED).status == 200
    for number in range(4):
        assert buy(person, f"before-{number}").status == 402
    answers = list[Any]()
    get_many = world.table.get_many

    def before(keys: Any) -> Any:
        rows = get_many(keys)
        if not answers and any("IDEMPOTENCY" in key.pk for key in keys):
            answers.append(None)
            answers.append(buy(person, "a-click"))
            return {**rows, **{key: row for key, row in get_many(keys).items() if "IDEMPOTENCY" not in key.pk}}
        return rows

    with patch.object(type(world.table), "get_many", lambda table, keys: before(list(keys))):
        slower = buy(person, "a-click")
    assert (slower.status, slower.text) == (402, answers[1].text)


@pytest.mark.parametrize(("card", "status"), [(DECLINED, 402), ("4242424242424242", 201)])
def test_of_which_the_slower_had_no_answer_are_answered_alike(world: World, card: str, status: int) -> None:
    person = an_owner(world)
    assert person.save_card(card).status == 200
    world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 9}])
    answers = list[Any]()

    def late(*arguments: Any) -> None:
        if not answers:
            answers.append(None)
            world.misbehave()
            world.advance(minutes=2)
            answers.append(units(person, "a-click"))
        really_commit(*arguments)

    with patch.object(charging, "commit", late):
        slower = units(person, "a-click")
    assert (answers[1].status, slower.status) == (status, status), slower.text
