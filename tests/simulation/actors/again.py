"""Again: a customer clicks twice, or comes back to what had no answer; the same request, to the byte."""

from __future__ import annotations

from tests.simulation.stage import Stage

DOUBLE_CLICK = 0.7
"""How often it is the last request, and not one of some time ago."""


def act(stage: Stage) -> None:
    ready = [person for person in stage.people if person.sent]
    if ready:
        customer = stage.somebody(ready)
        twice = stage.rng.random() < DOUBLE_CLICK
        stage.ask(customer, customer.sent[-1] if twice else stage.rng.choice(customer.sent))
