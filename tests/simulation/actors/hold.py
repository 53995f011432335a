"""Hold: a customer cancels, takes up again, pauses, resumes, changes or pays what they hold."""

from __future__ import annotations

from typing import Any

from tests.simulation.shops import PLANS
from tests.simulation.stage import Customer, Sent, Stage

OF_SUBSCRIPTIONS = (
    *("cancel", "reactivate", "reactivate", "pause", "resume", "resume"),
    *("pay", "pay", "renew", "renew", "change", "change", "change"),
)
OF_FINANCINGS = ("cancel", "reactivate", "reactivate", "pay", "pay", "renew", "renew", "certificate")
CANCELLED_NOW, PAID_WHOLE, WITH_A_KEY, OVER = 0.2, 0.3, 0.5, 0.15
PAUSE_DAYS_MAX = 30


def act(stage: Stage) -> None:
    holders = [(person, row) for person in stage.people for row in _held(stage, person)]
    at_it = stage.outside.acts[-1].who if stage.outside.acts else None
    own = [pair for pair in holders if pair[0] is at_it]
    if holders:
        customer, row = stage.rng.choice(own or holders)
        ask(stage, customer, row)


def ask(stage: Stage, customer: Customer, row: dict[str, Any]) -> None:
    rng = stage.rng
    kind, _, ident = row["sk"]["S"].partition("#")
    verb = rng.choice(OF_SUBSCRIPTIONS if kind == "SUB" else OF_FINANCINGS)
    path = f"/v1/payments/me/{'subscription' if kind == 'SUB' else 'planfinancing'}/{int(ident)}/{verb}"
    headers = {"Idempotency-Key": f"{verb}-{rng.getrandbits(32)}"} if rng.random() < WITH_A_KEY else {}
    match verb:
        case "certificate":
            stage.ask(customer, Sent("GET", path))
        case "pay" | "renew":
            body = {"all": True} if kind == "FIN" and verb == "pay" and rng.random() < PAID_WHOLE else None
            stage.send(customer, Sent("PUT", path, body, headers))
        case "cancel":
            when = "now" if rng.random() < CANCELLED_NOW else "period_end"
            stage.ask(customer, Sent("PUT", path, {"when": when}))
        case "change":
            plans = [plan for plan, way in PLANS[customer.academy_id].items() if way != "instalments"]
            wish = {"plan": rng.choice(plans), "chosen_period": rng.choice(("MONTH", "MONTH", "YEAR"))}
            stage.ask(customer, Sent("PUT", path, wish))
        case "pause":
            stage.ask(customer, Sent("PUT", path, {"days": rng.randint(1, PAUSE_DAYS_MAX)}))
        case _:
            stage.ask(customer, Sent("PUT", path))


def _held(stage: Stage, person: Customer) -> list[dict[str, Any]]:
    """What is not over, and now and then what is."""
    rows = [row for kind in ("SUB#", "FIN#") for row in stage.memory.beginning(f"USER#{person.user_id}", kind)]
    return [row for row in rows if "due_at" in row or stage.rng.random() < OVER]
