"""Deliver: Stripe posts webhooks that are due: late, out of order, twice, or never."""

from __future__ import annotations

import msgspec

from local.stripe_standin.machine import Outgoing
from tests.simulation.stage import Stage

AT_ONCE_MAX = 5
NEVER = 0.05
TWICE = 0.1
WITH_A_NET = ("payment_intent.", "charge.", "refund.")
WITHOUT_ONE = "charge.dispute."
"""Types of events that may be lost for ever: something else finds what they tell. A dispute of an old payment is found
by the list of events alone, and Stripe lists a month of them: less than passes here between two looks.
"""


def act(stage: Stage) -> None:
    rng = stage.rng
    due: list[Outgoing] = []
    at = int(stage.now.timestamp())
    for _ in range(rng.randint(1, AT_ONCE_MAX)):
        outgoing = stage.standin.take_delivery(at)
        if outgoing is None:
            break
        due.append(outgoing)
    rng.shuffle(due)
    for outgoing in due:
        kind = msgspec.json.decode(outgoing.payload)["type"]
        if rng.random() < NEVER and kind.startswith(WITH_A_NET) and not kind.startswith(WITHOUT_ONE):
            stage.standin.report_delivery(outgoing.id, delivered=True, now=at)
            stage.outside.counts["webhook lost for ever"] += 1
            continue
        accepted = post(stage, outgoing, kind)
        if accepted and rng.random() < TWICE:
            stage.outside.counts["webhook twice"] += 1
            post(stage, outgoing, kind)
        stage.standin.report_delivery(outgoing.id, delivered=accepted, now=int(stage.now.timestamp()))


def post(stage: Stage, outgoing: Outgoing, kind: str) -> bool:
    """Whether the webhook was answered with a 2xx; a process that died answers nothing."""
    reply = stage.act(
        f"Stripe posts {outgoing.id} {kind}",
        lambda: stage.post_webhook(outgoing.payload.encode(), outgoing.signature),
    )
    if reply is not None and reply.status not in (200, 503):
        stage.complain(f"the webhook {outgoing.id} {kind} was answered {reply.status} {reply.text}")
    return reply is not None and reply.status == 200
