"""Bank: the holder of a card authenticates or does not, and the network decides what was processing."""

from __future__ import annotations

from tests.simulation.stage import Stage

SUCCESS = 0.7


def act(stage: Stage) -> None:
    rng = stage.rng
    asked = [
        ("authenticate", thing)
        for kind in ("payment_intent", "setup_intent")
        for thing in stage.at_stripe(kind)
        if thing["status"] == "requires_action"
    ]
    asked += [("process", thing) for thing in stage.at_stripe("payment_intent") if thing["status"] == "processing"]
    if asked:
        verb, thing = rng.choice(asked)
        success = rng.random() < SUCCESS
        stage.at_dashboard(f"/_control/{verb}/{thing['id']}", {"success": success})
