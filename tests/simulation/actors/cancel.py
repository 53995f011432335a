"""Cancel: a customer cancels a use, perhaps one that is over."""

from __future__ import annotations

from tests.simulation.stage import Sent, Stage

LATEST = 0.6


def act(stage: Stage) -> None:
    ready = [person for person in stage.people if person.uses]
    if not ready:
        return
    customer = stage.somebody(ready)
    latest = stage.rng.random() < LATEST
    service, session_id = customer.uses[-1] if latest else stage.rng.choice(customer.uses)
    path = f"/v1/payments/me/service/{service}/consumptionsession/{session_id}/cancel"
    stage.ask(customer, Sent("PUT", path))
