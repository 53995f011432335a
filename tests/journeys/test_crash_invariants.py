"""The books are broken one by one, so that each check of tests/books.py is known to be able to fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chalicelib.books.billing.model import Invoice, InvoiceStatus
from chalicelib.books.enrollment.model import Invitation, Owed
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key, Row, load
from chalicelib.dynamo.writes import Delete, Update, anyway, commit, never
from tests.books import what_is_wrong
from tests.enrolling import accept, invited, open_cohorts
from tests.moto_table import all_rows
from tests.shop import BASIC, a_coupon, put
from tests.staffing import clerk
from tests.world import World

Breaking = Callable[[World], None]


def _set(world: World, row: Row, **values: Any) -> None:
    actions = tuple(Path(name).set(value) for name, value in values.items())
    commit(world.table, [Update(key=row.key, actions=actions, condition=anyway, refused=never("no condition"))])


def _row(world: World, prefix: str) -> Row:
    return next(row for row in all_rows(world.table) if row.key.sk.startswith(prefix))


def _remove(world: World, prefix: str) -> None:
    key: Key = _row(world, prefix).key
    commit(world.table, [Delete(key=key, condition=anyway, refused=never("no condition"))])


def _fewer_units(world: World) -> None:
    row = next(row for row in all_rows(world.table) if row.key.sk.startswith("BAL#") and "#93#" in row.key.sk)
    name = next(name for name in row.values if name.startswith("lot_"))
    lot: Any = row.values[name]
    _set(world, row, **{name: {**lot, "r": lot["r"] - 1}})


def _rejected(world: World) -> None:
    row = _row(world, "INVOICE#")
    _set(world, row, doc=load(Invoice, row).model_copy(update={"status": InvoiceStatus.REJECTED}).model_dump_json())


def _disputed(world: World) -> None:
    ((ident, _),) = world.standin.world.store.objects["payment_intent"].items()
    dispute = {"id": "du_unknown", "payment_intent": ident, "status": "needs_response"}
    world.standin.world.store.objects["dispute"]["du_unknown"] = dispute


def _two_customers(world: World) -> None:
    customers = world.standin.world.store.objects["customer"]
    ((_, customer),) = customers.items()
    customers["cus_again"] = {**customer, "id": "cus_again"}


def _ends_later(world: World) -> None:
    row = next(row for row in all_rows(world.table) if any(name.startswith("lot_") for name in row.values))
    name = next(name for name in row.values if name.startswith("lot_"))
    expiry = Path([name, "e"])
    later = Update(key=row.key, actions=(expiry.set(expiry + 1),), condition=anyway, refused=never("no condition"))
    commit(world.table, [later])


def _another_hash(world: World) -> None:
    _set(world, _row(world, "ENTRY#"), hash="0" * 64)


def _another_word(world: World) -> None:
    row = _row(world, "ENTRY#")
    _set(world, row, doc=row.doc.replace('"cause":"invoice:', '"cause":"invoice:1'))


def _no_heads(world: World) -> None:
    row = next(row for row in all_rows(world.table) if any(name.startswith("head_") for name in row.values))
    heads = tuple(Path([name]).remove() for name in row.values if name.startswith("head_"))
    commit(world.table, [Update(key=row.key, actions=heads, condition=anyway, refused=never("no condition"))])


def _card_of_nobody(world: World) -> None:
    for method in world.standin.world.store.objects["payment_method"].values():
        method["customer"] = None


def _charged_twice(world: World) -> None:
    intents = world.standin.world.store.objects["payment_intent"]
    ((_, intent),) = intents.items()
    intents["pi_again"] = {**intent, "id": "pi_again"}


BREAKS: dict[str, tuple[Breaking, str]] = {
    "a use without a purchase": (lambda w: _set(w, _row(w, "COUPON#"), used=2), "counts 2 uses"),
    "a person's use that leaked": (lambda w: _set(w, _row(w, "CLAIM#COUPON#"), used=2), "counts 2 uses"),
    "a lost claim": (lambda w: _remove(w, "CLAIM#PLAN#"), "has no claim"),
    "a claim for nothing": (lambda w: _set(w, _row(w, "CLAIM#PLAN#"), invoice_id=7), "has no subscription"),
    "a lost subscription": (lambda w: _remove(w, "SUB#"), "is there its subscription? False"),
    "a bag that is still being paid": (lambda w: _set(w, _row(w, "BAG#"), state="PAYING"), "is PAYING"),
    "units that got lost": (_fewer_units, "its entries leave"),
    "a lot that ends too late": (_ends_later, "which no entry says"),
    "an entry that got lost": (lambda w: _remove(w, "ENTRY#"), "granted"),
    "money for nothing": (_rejected, "REJECTED and was charged 1 times"),
    "money twice": (_charged_twice, "was charged 2 times"),
    "a dispute that nobody recorded": (_disputed, "shows the disputes set()"),
    "somebody who was told nothing": (lambda w: _remove(w, "MESSAGE"), "has no receipt"),
    "an entry that was changed": (_another_word, "does not have its hash"),
    "a hash that was changed": (_another_hash, "which is no entry"),
    "a head that got lost": (_no_heads, "which nothing leads to"),
    "a head of nothing": (lambda w: _set(w, _row(w, "BAL#"), head_1=1), "is led by 1, which is no entry"),
    "two customers at once": (_two_customers, "is 2 customers"),
    "a card that was taken away": (_card_of_nobody, "is not theirs at Stripe"),
    "something that is still due": (lambda w: _set(w, _row(w, "SUB#"), due_shard="x#1", due_at=1), "still due"),
    "a count of lots": (lambda w: _set(w, _row(w, "BAL#"), lots=9), "counts 9 lots"),
}


def _accepted(world: World) -> Row:
    return next(
        row for row in all_rows(world.table) if row.key.sk.startswith("INVITATION#") and "ref" not in row.values
    )


def _owing(world: World) -> None:
    row = _accepted(world)
    owed = (Owed(plan_id=BASIC, invoice_id=1),)
    _set(world, row, doc=load(Invitation, row).model_copy(update={"owed": owed}).model_dump_json())


def _account_lost(world: World) -> None:
    user_id = load(Invitation, _accepted(world)).user_id
    key = Key(f"USER#{user_id}", "USER")
    commit(world.table, [Delete(key=key, condition=anyway, refused=never("no condition"))])


INVITATION_BREAKS: dict[str, tuple[Breaking, str]] = {
    "a plan that was not given": (lambda w: _remove(w, "SUB#"), "and has it 0 times"),
    "a plan that is owed": (_owing, "owes 1 plans"),
    "an account that was not made": (_account_lost, "is ACCEPTED; is there"),
    "an e-mail that nobody holds": (lambda w: _remove(w, "INVITED#"), "is open or claimed, and not both"),
}


class TestCheckBooks:
    @pytest.mark.parametrize("what", BREAKS)
    def test_sees(self, world: World, what: str) -> None:
        put(world.table, a_coupon(world.now, world.academy_id, how_many_offers=5))
        person = world.paying()
        bag = person.check("basic", coupons=["half"]).json
        assert person.pay(bag, chosen_period="MONTH").status == 200
        world.settle()
        assert what_is_wrong(world) == []
        breaking, sentence = BREAKS[what]
        breaking(world)
        assert any(sentence in wrong for wrong in what_is_wrong(world)), what_is_wrong(world)

    @pytest.mark.parametrize("what", INVITATION_BREAKS)
    def test_sees_of_an_invitation(self, world: World, what: str) -> None:
        open_cohorts(world)
        staff = clerk(world)
        assert accept(world, invited(staff, BASIC)).status == 200
        invited(staff, email="open@example.org")
        world.settle()
        assert what_is_wrong(world) == []
        breaking, sentence = INVITATION_BREAKS[what]
        breaking(world)
        assert any(sentence in wrong for wrong in what_is_wrong(world)), what_is_wrong(world)

    def test_sees_what_is_pending(self, world: World) -> None:
        person = world.paying()
        world.misbehave(rules=[{"match": "POST /v1/payment_intents", "action": "stay_processing", "times": 1}])
        assert person.buy().status == 202
        assert world.deliver() > 0
        wrong = "\n".join(what_is_wrong(world))
        assert "is PENDING" in wrong and "payment_intent.processing is pending" in wrong
