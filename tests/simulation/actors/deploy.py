"""Deploy: what the rows hold was written by an older release: fields that have a default now were not there then."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import msgspec

from chalicelib.books.billing.model import Bag, Customer, Invoice
from chalicelib.books.catalog.model import Coupon, Plan, Service, ServiceItem, ServicePrice
from chalicelib.books.consumption.model import Session
from chalicelib.books.inbox.model import Event
from chalicelib.books.ledger.model import Unit
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions.model import Financing, Subscription
from chalicelib.kernel.documents import Document
from tests.simulation.stage import Stage

FORMS: Mapping[str, type[Document]] = {
    "BAG": Bag,
    "BAL": Unit,
    "COUPON": Coupon,
    "CUSTOMER": Customer,
    "EVENT": Event,
    "FIN": Financing,
    "INVOICE": Invoice,
    "ITEM": ServiceItem,
    "MESSAGE": Message,
    "PLAN": Plan,
    "PRICE": ServicePrice,
    "SERVICE": Service,
    "SESSION": Session,
    "SUB": Subscription,
}
"""The form of each kind of row, by the beginning of its sort key. Not entries: a hash covers their text."""


def act(stage: Stage) -> None:
    """Rewrite every row, between two acts. No rule of the books is looked at for it: nothing is said by it."""
    stage.outside.counts["deployment"] += 1
    written = stage.memory.taken()
    for item in stage.memory.copy():
        form = FORMS.get(item["sk"]["S"].partition("#")[0])
        if form is None or "doc" not in item:
            continue
        old = _without_defaults(form.model_validate_json(item["doc"]["S"]))
        stage.memory.put((item["pk"]["S"], item["sk"]["S"]), {**item, "doc": {"S": old}})
    stage.memory.changed = written


def _without_defaults(read: Document) -> str:
    defaults = _defaults(type(read))
    values = msgspec.to_builtins(read)
    kept = {name: value for name, value in values.items() if getattr(read, name) != defaults[name]}
    return msgspec.json.encode(kept).decode()


@cache
def _defaults(form: type[Document]) -> Mapping[str, object]:
    return {field.name: field.default for field in msgspec.structs.fields(form)}
