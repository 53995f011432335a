"""Seat: the owner of a team adds, replaces and removes people, changes its seats, and lets its pool be filled up; those
who sit there use units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tests.simulation.actors import consume
from tests.simulation.shops import SEATED
from tests.simulation.stage import Customer, Sent, Stage

VERBS = (
    *("add", "add", "add", "replace", "replace", "replace", "remove", "remove"),
    *("use", "use", "use", "resize", "resize", "buy", "cap", "recharge", "recharge", "look"),
)
BOUGHT_AT_ONCE, SEATS_AT_MOST = (1, 1, 2), 9
CAPS = (None, 0, 1, 3)
ENABLED, THRESHOLDS, AMOUNTS = (True, True, True, False), (0, 60, 200), ("60.00", 100, 250)
LIMITS = (90, 200, 500, "500.00", 0)
POOLED = "mentorship-service"
WITH_A_KEY, OVER, STRANGER, REPLACED_TOO, OF_THE_POOL = 0.7, 0.1, 0.08, 0.2, 0.6


@dataclass(frozen=True)
class Owned:
    """A team as its owner knows it. `seats`: those that somebody has or is invited to."""

    owner: Customer
    ident: int
    paid: int
    seats: list[dict[str, Any]]

    @property
    def path(self) -> str:
        return f"/v2/payments/subscription/{self.ident}/billing-team"


def act(stage: Stage) -> None:
    teams = [team for person in stage.people for team in _owned(stage, person)]
    at_it = stage.outside.acts[-1].who if stage.outside.acts else None
    own = [team for team in teams if team.owner is at_it]
    if teams:
        tend(stage, stage.rng.choice(own or teams))


def tend(stage: Stage, team: Owned) -> None:
    rng = stage.rng
    match rng.choice(VERBS):
        case "add":
            fill(stage, team, add=[_email(stage) for _ in range(rng.choice((1, 1, 2)))])
        case "replace" if team.seats:
            add = [_email(stage)] if rng.random() < REPLACED_TOO else []
            fill(stage, team, add=add, replace=(rng.choice(team.seats)["email"], _email(stage)))
        case "remove" if team.seats:
            stage.ask(team.owner, Sent("DELETE", f"{team.path}/seat/{rng.choice(team.seats)['id']}"))
        case "use":
            sitting = {seat["user_id"] for seat in team.seats} | {team.owner.user_id}
            service = POOLED if rng.random() < OF_THE_POOL else None
            consume.use(stage, rng.choice([one for one in stage.people if one.user_id in sitting]), service)
        case "resize":
            wished = rng.randint(1, min(team.paid + 1, SEATS_AT_MOST))
            stage.send(team.owner, Sent("PUT", team.path, {"seats": wished}))
        case "buy" if team.paid < SEATS_AT_MOST:
            body = {"service": "seat", "how_many": rng.choice(BOUGHT_AT_ONCE), "subscription": team.ident}
            # Without a key a second try is a second purchase, so whoever tries again has one.
            sent = Sent("POST", "/v1/payments/consumable/checkout", body)
            if rng.random() < WITH_A_KEY:
                sent.headers["Idempotency-Key"] = f"seats-{rng.getrandbits(32)}"
                stage.send(team.owner, sent)
            else:
                stage.ask(team.owner, sent)
        case "cap":
            stage.ask(team.owner, Sent("PUT", team.path, {"per_member_cap": rng.choice(CAPS)}))
        case "recharge":
            stage.ask(team.owner, Sent("PUT", team.path, _recharge(stage)))
        case _:
            stage.ask(stage.somebody(), Sent("GET", f"{team.path}/seat"))


def _recharge(stage: Stage) -> dict[str, Any]:
    rng = stage.rng
    return {
        "auto_recharge_enabled": rng.choice(ENABLED),
        "recharge_threshold_amount": rng.choice(THRESHOLDS),
        "recharge_amount": rng.choice(AMOUNTS),
        "max_period_spend": rng.choice(LIMITS),
    }


def fill(stage: Stage, team: Owned, *, add: list[str], replace: tuple[str, str] | None = None) -> None:
    body: dict[str, Any] = {"add_seats": [{"email": email} for email in add]}
    if replace is not None:
        body["replace_seats"] = [{"from_email": replace[0], "to_email": replace[1]}]
    stage.send(team.owner, Sent("PUT", f"{team.path}/seat", body))


def _email(stage: Stage) -> str:
    """Of somebody who is there, of whichever academy; rarely of somebody who never comes."""
    if stage.rng.random() < STRANGER:
        return f"nobody{stage.rng.randint(1, 3)}@example.org"
    return stage.rng.choice(stage.people).email


def _owned(stage: Stage, person: Customer) -> list[Owned]:
    """The teams whose subscription is not over, and rarely one that is."""
    found = []
    for row in stage.memory.beginning(f"USER#{person.user_id}", "SUB#"):
        terms = msgspec.json.decode(row["doc"]["S"])["terms"]
        if terms["plan_slug"] in SEATED and ("due_at" in row or stage.rng.random() < OVER):
            ident = int(row["sk"]["S"].removeprefix("SUB#"))
            rows = stage.memory.beginning(f"TEAM#{ident}", "SEAT#")
            seats = [msgspec.json.decode(seat["doc"]["S"]) for seat in rows]
            live = [seat for seat in seats if seat["status"] != "REMOVED"]
            found.append(Owned(person, ident, terms["seats"], live))
    return found
