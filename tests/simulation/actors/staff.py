"""Staff: somebody changes the catalog, gives money back, gives units or takes them, or has an event tried again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from chalicelib.books.billing.model import Invoice, PlanAction
from chalicelib.books.catalog import store
from chalicelib.books.catalog.model import Coupon, Plan, PlanStatus
from chalicelib.dynamo.rows import Key, Row, decode, load
from chalicelib.dynamo.writes import commit
from chalicelib.kernel.documents import Document
from tests.simulation.shops import ACADEMIES, SERVICES
from tests.simulation.stage import Stage
from tests.world import Reply

STATUSES = (PlanStatus.ACTIVE, PlanStatus.ACTIVE, PlanStatus.UNLISTED, PlanStatus.DISCONTINUED)


def act(stage: Stage) -> None:
    stage.rng.choice((reprice, retire, extend, replay, refund, refund, refund, grant, revoke, revoke))(stage)


def reprice(stage: Stage) -> None:
    """Another price of a plan, from now on."""
    price = Decimal(stage.rng.randint(1000, 9999)) / 100
    _change(
        stage,
        "PLAN#",
        Plan,
        lambda plan: {"prices": {p: price for p, was in plan.prices.items() if was} or plan.prices},
    )


def retire(stage: Stage) -> None:
    """A plan is sold no more, or again."""
    status = stage.rng.choice(STATUSES)
    _change(stage, "PLAN#", Plan, lambda plan: {"status": status})


def extend(stage: Stage) -> None:
    """A coupon serves once more, where its uses were limited."""
    _change(stage, "COUPON#", Coupon, lambda coupon: {"how_many_offers": max(coupon.how_many_offers + 1, -1)})


def replay(stage: Stage) -> None:
    """An operator has an event tried again that was handled, ignored or parked."""
    events = [item["pk"]["S"].removeprefix("INBOX#") for item in stage.memory.copy() if item["sk"]["S"] == "EVENT"]
    if events:
        path = f"/ops/inbox/{stage.rng.choice(events)}/replay"
        stage.act(f"an operator: {path}", lambda: stage.call("POST", path, token=stage.operator_token))


def refund(stage: Stage) -> None:
    """Somebody gives money back: all, or a part, once or by two calls under one key."""
    invoices = [item for item in stage.memory.copy() if item["sk"]["S"].startswith("INVOICE#")]
    if not invoices:
        return
    invoice = load(Invoice, decode(stage.rng.choice(invoices)))
    body: dict[str, Any] = {"academy": invoice.academy_id}
    if invoice.amount and stage.rng.random() < 0.6:
        body["amount"] = stage.rng.randint(1, invoice.amount) / 100
    if stage.rng.random() < 0.4:
        body["plan_action"] = stage.rng.choice(list(PlanAction)).value
    _posted(stage, f"/v1/payments/academy/invoice/{invoice.id}/refund", body)


def grant(stage: Stage) -> None:
    """Somebody gives a person units, perhaps unlimited ones, perhaps for some days."""
    customer, rng = stage.somebody(), stage.rng
    body = _adjusting(stage, rng.choice(SERVICES), rng.choice((-1, *[rng.randint(1, 4)] * 5)))
    if rng.random() < 0.3:
        body["expires_at"] = (stage.now + timedelta(days=rng.randint(1, 40))).isoformat()
    _once(stage, f"/v1/payments/academy/user/{customer.user_id}/consumable", body)


def revoke(stage: Stage) -> None:
    """Somebody takes units of a person, bought or given: rather of who has some."""
    pages = [item for item in stage.memory.copy() if item["sk"]["S"].startswith("BAL#") and "lots" in item]
    owned = [item for item in pages if item["lots"]["N"] != "0" and item["pk"]["S"].startswith("LEDGER#USER#")]
    if not owned:
        return
    page = stage.rng.choice(owned)
    service, user_id = json.loads(page["doc"]["S"])["service_slug"], page["pk"]["S"].rpartition("#")[2]
    body = _adjusting(stage, service, stage.rng.choice((-1, *[stage.rng.randint(1, 6)] * 5)))
    body["academy"] = json.loads(page["doc"]["S"])["academy_id"]
    _once(stage, f"/v1/payments/academy/user/{user_id}/consumable/revoke", body)


def _adjusting(stage: Stage, service: str, how_many: int) -> dict[str, Any]:
    return {"academy": stage.rng.choice(ACADEMIES), "service": service, "how_many": how_many, "reason": "a reason"}


def _once(stage: Stage, path: str, body: dict[str, Any]) -> None:
    """However often it is sent under one key, it is one adjustment."""
    done = {reply.json["id"] for reply in _posted(stage, path, body) if reply.status in (200, 201)}
    if len(done) > 1:
        stage.complain(f"{path} was done as {done}")


def _posted(stage: Stage, path: str, body: dict[str, Any]) -> list[Reply]:
    """Once or by two calls under one key. The answers that came."""
    headers = {"Idempotency-Key": f"staff-{stage.rng.getrandbits(64)}"}
    replies: list[Reply] = []
    for _ in range(stage.rng.choice((1, 1, 2))):
        reply = stage.act(
            f"staff: {path} {body}",
            lambda: stage.call("POST", path, body=body, token=stage.operator_token, headers=dict(headers)),
        )
        replies += [] if reply is None else [reply]
    for reply in replies:
        if reply.status >= 500 and reply.status != 503:
            stage.complain(f"{path}: {reply.status} {reply.text}")
    return replies


def _change(stage: Stage, prefix: str, kind: type[Document], changes: Callable[[Any], dict[str, Any]]) -> None:
    academy = f"ACADEMY#{stage.rng.choice(ACADEMIES)}"
    key = stage.rng.choice([item["sk"]["S"] for item in stage.memory.beginning(academy, prefix)])

    def change() -> None:
        row: Row | None = stage.table.get(Key(academy, key))
        if row is not None:
            read = load(kind, row)
            after = read.model_copy(update=changes(read))
            commit(stage.table, [store.changed(after, version=row.version)])

    stage.act(f"staff changes {academy} {key}", change)
