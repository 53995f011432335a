"""POST /stripe/webhook: verify the raw bytes, store the event, 200. Nothing is believed and nothing is done here."""

from __future__ import annotations

from chalicelib.adapters.stripe.events import NoEvent, SignatureRefused, parse, verify
from chalicelib.books.inbox.model import arrived
from chalicelib.entrypoints import _observe
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.flows.reconcile.receive import receive

EVENT_BYTES_MAX = 1024 * 1024


class ReceivedOut(Output):
    received: bool


@route(
    "POST",
    "/stripe/webhook",
    access=Access.PUBLIC,
    answers={200: ReceivedOut},
    errors=(SignatureRefused, NoEvent),
    body_bytes_max=EVENT_BYTES_MAX,
    raw=True,
)
def stripe_webhook(call: Call) -> Answer:
    """Take a signed event from Stripe."""
    _verify(call)
    inbound = parse(call.raw_body)
    about = {"object_id": inbound.object_id, "previous_customer": inbound.previous_customer}
    event = arrived(inbound.id, inbound.type, **about, now=call.now)
    receive(call.runtime.context(call.now), event, call.raw_body.decode())
    return Answer(200, ReceivedOut(received=True))


def _verify(call: Call) -> None:
    settings = call.runtime.settings
    try:
        verify(
            call.raw_body,
            call.headers.get("stripe-signature", ""),
            secrets=[secret.get_secret_value() for secret in settings.stripe_webhook_secrets],
            now=call.now,
            tolerance_seconds=settings.webhook_tolerance_seconds,
        )
    except SignatureRefused:
        _observe.count("WebhookRefused")
        raise
