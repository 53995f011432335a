"""Staff: somebody changes the catalog or gives money back, or an operator has an event tried again."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from chalicelib.books.billing.model import Invoice, PlanAction
from chalicelib.books.catalog import store
from chalicelib.books.catalog.model import Coupon, Plan, PlanStatus
from chalicelib.dynamo.rows import Key, Row, decode, load
from chalicelib.dynamo.writes import commit
from chalicelib.kernel.documents import Document
from tests.simulation.shops import ACADEMIES
from tests.simulation.stage import Stage

STATUSES = (PlanStatus.ACTIVE, PlanStatus.ACTIVE, PlanStatus.UNLISTED, PlanStatus.DISCONTINUED)


def act(stage: Stage) -> None:
    stage.rng.choice((reprice, retire, extend, replay, refund, refund, refund))(stage)


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
    headers = {"Idempotency-Key": f"refund-{stage.rng.getrandbits(64)}"}
    path = f"/v1/payments/academy/invoice/{invoice.id}/refund"
    for _ in range(stage.rng.choice((1, 1, 2))):
        stage.act(
            f"staff: {path} {body}",
            lambda: stage.call("POST", path, body=body, token=stage.operator_token, headers=dict(headers)),
        )


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
