"""Buy: a customer buys units of a service with the saved card."""

from __future__ import annotations

from tests.simulation.stage import Sent, Stage

WITHOUT_CARD = 0.1


def act(stage: Stage) -> None:
    rng = stage.rng
    ready = [person for person in stage.people if stage.has_card(person)]
    customer = stage.somebody(ready if ready and rng.random() > WITHOUT_CARD else None)
    service = "ai-chat" if customer.academy_id == 1 and rng.random() < 0.3 else "mentorship-service"
    how_many = 100 if service == "ai-chat" else rng.randint(1, 4)
    body = {"service": service, "how_many": how_many, "academy": customer.academy_id, "country_code": "US"}
    # Without a key a second try is a second purchase, so whoever tries again has one.
    headers = {"Idempotency-Key": f"buy-{rng.getrandbits(32)}"}
    stage.send(customer, Sent("POST", "/v1/payments/consumable/checkout", body, headers))
