"""Two clicks at once under one key, where the faster one uses the last attempt of the hour: both are answered alike."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from tests.teams import an_owner
from tests.world import Person, Reply, World

DECLINED = "4000000000000341"


def units(person: Person, key: str) -> Reply:
    return person.buy(headers={"Idempotency_Key": key})


def seats(person: Person, key: str) -> Reply:
    subscription = person.get("/v1/payments/me/subscription").json["subscriptions"][0]["id"]
    return person.buy("seat", 1, subscription=subscription, headers={"Idempotency_Key": key})


@pytest.mark.parametrize("buy", [units, seats])
def test_are_answered_alike(world: World, buy: Any) -> None:
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
