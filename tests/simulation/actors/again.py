"""Again: a customer clicks twice, or comes back to what had no answer; the same request, to the byte."""

from __future__ import annotations

from tests.simulation.stage import Stage


def act(stage: Stage) -> None:
    ready = [person for person in stage.people if person.sent]
    if ready:
        customer = stage.somebody(ready)
        stage.ask(customer, stage.rng.choice(customer.sent))
