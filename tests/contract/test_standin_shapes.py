"""Every object that the stand-in shows has the keys and value types that the stripe library declares."""

import contextlib
import json
import types
import typing
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import stripe
from stripe import StripeObject

from tests.contract.test_standin_harness import Shop, opened

Json = dict[str, Any]

FIXTURES = Path(__file__).parents[2] / "../shared/stripe/fixtures3.json"
CLASSES: dict[str, type] = {
    "balance_transaction": stripe.BalanceTransaction,
    "charge": stripe.Charge,
    "checkout.session": stripe.checkout.Session,
    "customer": stripe.Customer,
    "dispute": stripe.Dispute,
    "event": stripe.Event,
    "payment_intent": stripe.PaymentIntent,
    "payment_method": stripe.PaymentMethod,
    "refund": stripe.Refund,
    "setup_intent": stripe.SetupIntent,
    "webhook_endpoint": stripe.WebhookEndpoint,
}
# Stripe leaves these out of an answer unless they are asked for or apply; its examples show them.
NOT_SHOWN = {"charge": {"refunds", "source"}}


class _Names(dict[str, Any]):
    """The library's names for forward references; what it keeps private counts as anything."""

    def __missing__(self, name: str) -> Any:
        return getattr(stripe, name, Any)


def _hints(kind: type) -> Json:
    found = typing.get_type_hints(kind, None, _Names())
    own = {name for base in kind.__mro__ if base is not StripeObject for name in getattr(base, "__annotations__", {})}
    hidden = {"OBJECT_NAME"}
    return {n: h for n, h in found.items() if n in own and not n.startswith("_") and n not in hidden}


def problems(value: Any, hint: Any, path: str) -> Iterator[str]:
    """What is wrong with a JSON value where the library declares `hint`."""
    origin = typing.get_origin(hint)
    if hint is Any or isinstance(hint, typing.TypeVar | typing.ForwardRef):
        return
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            yield f"{path}: {value!r} is not one of {typing.get_args(hint)[:8]}"
    elif origin in (typing.Union, types.UnionType):
        yield from _union(value, typing.get_args(hint), path)
    elif origin is list:
        yield from _items(value, typing.get_args(hint)[0], path)
    elif origin is stripe.ListObject:
        yield from _items(value["data"], typing.get_args(hint)[0], f"{path}.data")
    elif isinstance(origin or hint, type) and issubclass(origin or hint, StripeObject):
        if origin is not None or hint.__name__ == "UntypedStripeObject":
            if not isinstance(value, dict):
                yield f"{path}: {value!r} is no hash"
        else:
            yield from _object(value, hint, path)
    elif hint is Decimal:
        if not isinstance(value, str):
            yield f"{path}: {value!r} is no decimal string"
    elif type(value) is not hint:
        yield f"{path}: {value!r} is no {hint}"


def _union(value: Any, hints: tuple[Any, ...], path: str) -> Iterator[str]:
    if value is None and type(None) in hints:
        return
    literals = [hint for hint in hints if typing.get_origin(hint) is typing.Literal]
    open_ended = [hint for hint in hints if hint is not type(None) and not (literals and hint is str)]
    tries = [list(problems(value, hint, path)) for hint in open_ended]
    if not any(not found for found in tries):
        yield from max(tries, key=len, default=[f"{path}: {value!r} fits nothing"])


def _items(value: Any, hint: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list):
        yield f"{path}: {value!r} is no list"
        return
    for index, item in enumerate(value):
        yield from problems(item, hint, f"{path}[{index}]")


def _object(value: Any, kind: type, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no {kind.__name__}"
        return
    hints = _hints(kind)
    for name in value.keys() - hints.keys():
        yield f"{path}.{name}: the library does not know it"
    for name, hint in hints.items():
        if name in value:
            yield from problems(value[name], hint, f"{path}.{name}")
        elif type(None) not in typing.get_args(hint):
            yield f"{path}.{name}: is missing"


def everything(shop: Shop) -> list[Json]:
    """Every object, in every state that it passes through, by way of its events and of the stored ones."""
    v1 = shop.v1
    v1.webhook_endpoints.create({"url": "http://127.0.0.1:1/hook", "enabled_events": ["invoice.paid"]})
    customer = shop.a_customer(metadata={"order": "7"}).id
    v1.customers.update(customer, {"name": "Grace", "metadata": {"order": "8"}})
    for name in ("pm_card_visa", "pm_card_authenticationRequired", "pm_card_chargeDeclined"):
        for confirm in (True, False):
            intent = {"customer": customer, "payment_method": name, "payment_method_types": ["card"]}
            _tolerant(v1.setup_intents.create, {**intent, "confirm": confirm})
    for setup in list(shop.standin.world.store.objects["setup_intent"]):
        shop.control("POST", f"/_control/authenticate/{setup}", success=False)
        _tolerant(v1.setup_intents.cancel, setup)
    redirect = {"customer": customer, "payment_method": "pm_card_authenticationRequired", "confirm": True}
    v1.setup_intents.create({**redirect, "return_url": "https://example.com"})
    for name in (
        "pm_card_visa",
        "pm_card_authenticationRequired",
        "pm_card_chargeDeclined",
        "pm_card_createDispute",
    ):
        _tolerant(shop.pay, customer=customer, payment_method=name, receipt_email="a@example.com")
    shop.order(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 2}])
    for success in (True, False):
        waiting = shop.pay(customer=customer, payment_method="pm_card_visa")
        shop.order(f"/_control/process/{waiting.id}", success=success)
    for ident in list(shop.standin.world.store.objects["payment_intent"]):
        shop.control("POST", f"/_control/authenticate/{ident}", success=True)
    v1.payment_intents.cancel(v1.payment_intents.create({"amount": 100, "currency": "eur"}).id)
    card = shop.a_card(customer)
    v1.payment_methods.update(card.id, {"card": {"exp_year": 2040}, "metadata": {"a": "b"}})
    v1.customers.update(customer, {"invoice_settings": {"default_payment_method": card.id}})
    paid = shop.pay(customer=customer, payment_method=card.id, off_session=True, setup_future_usage="off_session")
    refund = v1.refunds.create({"payment_intent": paid.id, "amount": 100, "reason": "duplicate"})
    shop.order(f"/_control/fail_refund/{refund.id}")
    shop.order(f"/_control/dispute/{paid.id}", outcome="won")
    lost = shop.pay(customer=customer, payment_method=card.id, off_session=True)
    shop.order(f"/_control/dispute/{lost.id}", outcome="lost")
    for outcome in ("paid", "async_paid", "async_failed"):
        shop.order(f"/_control/checkout/{_session(shop, customer)}", outcome=outcome)
    v1.checkout.sessions.expire(_session(shop, customer))
    v1.payment_methods.detach(card.id)
    v1.customers.delete(customer)
    stored = [json.loads(text) for text in shop.standin.world.events.dump()]
    shown = [event["data"]["object"] for event in stored]
    kept = [thing for things in shop.standin.world.store.objects.values() for thing in things.values()]
    return json.loads(json.dumps(stored + shown + kept))  # type: ignore[no-any-return]


def _session(shop: Shop, customer: str) -> str:
    price = {"currency": "usd", "unit_amount": 500, "product_data": {"name": "Ten credits"}}
    items = [{"price_data": price, "quantity": 2}]
    whole = {
        "mode": "payment",
        "line_items": items,
        "customer": customer,
        "success_url": "https://example.com",
    }
    ident: str = shop.v1.checkout.sessions.create(whole).id
    return ident


def _tolerant(call: Any, *args: Any, **params: Any) -> None:
    with contextlib.suppress(stripe.CardError, stripe.InvalidRequestError):
        call(*args, **params)


@pytest.fixture(scope="module")
def shown() -> list[Json]:
    with opened("inprocess") as shop:
        return everything(shop)


def test_the_objects_are_as_the_library_declares_them(shown: list[Json]) -> None:
    found: set[str] = set()
    for thing in shown:
        if not thing.get("deleted"):
            found.update(problems(thing, CLASSES[thing["object"]], thing["object"]))
    assert not found, "\n".join(sorted(found))


def test_every_kind_was_looked_at(shown: list[Json]) -> None:
    assert {thing["object"] for thing in shown} == CLASSES.keys() - {"balance_transaction"}


def test_a_wrong_shape_is_noticed() -> None:
    wrong = {"id": 7, "object": "refund", "status": None, "surprise": 1}
    found = "\n".join(problems(wrong, stripe.Refund, "refund"))
    for name in ("refund.id", "refund.surprise", "refund.amount"):
        assert name in found


def test_the_objects_have_the_keys_of_stripes_published_examples(shown: list[Json]) -> None:
    if not FIXTURES.exists():
        print(f"{FIXTURES} is not there: not compared with Stripe's published examples")  # noqa: T201
        return
    examples = json.loads(FIXTURES.read_text())["resources"]
    found: set[str] = set()
    for thing in shown:
        kind = thing["object"]
        if thing.get("deleted"):
            continue
        known = _hints(CLASSES[kind])
        missing = examples[kind].keys() - thing.keys() - NOT_SHOWN.get(kind, set())
        found.update(f"{kind}.{name}" for name in missing if name in known)
    assert not found, sorted(found)
