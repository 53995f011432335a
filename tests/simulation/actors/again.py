"""Again: a customer clicks twice, or comes back to what had no answer; the same request, to the byte."""

from __future__ import annotations

from tests.simulation.stage import Stage

DOUBLE_CLICK = 0.7
"""How often it is the request that is being served right now, or the last one, and not one of some time ago."""


def act(stage: Stage) -> None:
    at_it = stage.outside.acts[-1] if stage.outside.acts else None
    if at_it is not None and at_it.sent is not None and stage.rng.random() < DOUBLE_CLICK:
        stage.ask(at_it.who, at_it.sent)
        return
    ready = [person for person in stage.people if person.sent]
    if ready:
        customer = stage.somebody(ready)
        twice = stage.rng.random() < DOUBLE_CLICK
        stage.ask(customer, customer.sent[-1] if twice else stage.rng.choice(customer.sent))
