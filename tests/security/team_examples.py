"""Teams of the owner: one of a subscription and one of a financing, each with a seat of somebody else."""

from __future__ import annotations

from typing import Any

from chalicelib.books.catalog.model import Period
from chalicelib.kernel.periods import Unit
from tests.shop import SEAT, a_plan, put
from tests.world import Person, World

OF_SUBSCRIPTION = "/v2/payments/subscription/{subscription_id}/billing-team"
OF_FINANCING = "/v2/payments/plan-financing/{financing_id}/team"


def of_teams(world: World, owner: Person) -> dict[str, dict[str, Any]]:
    """The examples of each operation on them."""
    shared: dict[str, Any] = {"seat_service_id": SEAT, "seats_included": 4}
    financed = {
        "is_renewable": False,
        "prices": {},
        "financing_option_ids": (10,),
        "time_of_life": 12,
        "time_of_life_unit": Unit.MONTH,
    }
    put(
        world.table,
        a_plan(world.now, world.academy_id, id=3001, slug="crew", prices={Period.MONTH: 100}, **shared),
        a_plan(world.now, world.academy_id, id=3002, slug="crew-paid-off", **shared, **financed),
    )
    found: dict[str, dict[str, Any]] = {}
    for plan, path, name, pay in (
        ("crew", OF_SUBSCRIPTION, "subscription_id", {"chosen_period": "MONTH"}),
        ("crew-paid-off", OF_FINANCING, "financing_id", {"how_many_installments": 12}),
    ):
        ident = owner.pay(owner.check(plan).json, **pay).json["id"]
        filled = owner.put(
            f"{path.replace(f'{{{name}}}', str(ident))}/seat", {"add_seats": [{"email": "x@example.org"}]}
        )
        named = {name: ident, "seat_id": filled.json["data"][0]["id"]}
        for operation in (f"GET {path}", f"GET {path}/seat"):
            found[operation] = named
        found[f"PUT {path}"] = {**named, "body": ("seats",), "seats": 5}
        found[f"PUT {path}/seat"] = {**named, "body": ("add_seats",), "add_seats": [{"email": "lin@example.org"}]}
        for operation in (f"GET {path}/seat/{{seat_id}}", f"DELETE {path}/seat/{{seat_id}}"):
            found[operation] = named
    world.settle()
    return found
