"""When a team's pool is not filled up: a card that is refused, an owner who may not buy, a plan that does not go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.billing import queries as billing_queries
from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import Standing
from chalicelib.books.billing.queries import StoredInvoice
from chalicelib.books.catalog import operations as catalog
from chalicelib.books.catalog import store as catalog_store
from chalicelib.books.catalog.model import CountryPrice, ServicePrice
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Dunning, Status, Subscription
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import commit
from chalicelib.flows.checkout.begin import begin
from chalicelib.flows.checkout.charge import charge
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.reject import void
from chalicelib.flows.fulfillment.settle import Outcome, Settled, settle
from chalicelib.flows.teams import tend_recharge
from tests.books import check_books
from tests.faults import unheard
from tests.journeys.test_catalog import staff
from tests.journeys.test_staff_refunds import refund
from tests.recharges import NINETY, bought, recharged, recharges, recharging, spent, use
from tests.recurring import ask, forget_card, holding, live, mails, run
from tests.shop import MENTORING as MENTORING_ID
from tests.staffing import refused
from tests.teams import MENTORING, path_of, seated, team
from tests.world import Person, World

DECLINED, AUTHENTICATE = "4000000000000341", "4000002760003184"
STOPPED = "automatic recharge has stopped"


@pytest.fixture
def owner(world: World) -> Person:
    return recharging(world)


class TestACardThatIsRefused:
    @pytest.mark.parametrize(
        ("card", "code"), [(DECLINED, "generic_decline"), (AUTHENTICATE, "authentication_required")]
    )
    def test_stops_it_and_gives_the_spend_back(self, owner: Person, world: World, card: str, code: str) -> None:
        changed_card(owner, card)
        use(owner, "one")
        run(world)
        found = team(owner)
        assert (found["auto_recharge_enabled"], found["auto_recharge_stopped"]) == (False, code)
        assert (owner.units(MENTORING), spent(owner), bought(owner, "REJECTED")) == (1, "0.00", [NINETY])
        assert (recharges(owner), mails(world, STOPPED)) == ([], [owner.email])
        assert use(owner, "two").status == 201
        live(world, 2)
        assert (bought(owner), bought(owner, "REJECTED"), len(mails(world, STOPPED))) == ([], [NINETY], 1)
        check_books(world)

    def test_does_not_stop_what_its_owner_switches_on_again(self, owner: Person, world: World) -> None:
        changed_card(owner, DECLINED)
        use(owner, "one")
        run(world)
        assert owner.save_card().status == 200
        assert owner.put(path_of(owner), {"recharge_amount": 101}).json["auto_recharge_stopped"] == "generic_decline"
        found = recharged(owner)
        assert (found["auto_recharge_enabled"], found["auto_recharge_stopped"]) == (True, None)
        assert (owner.units(MENTORING), bought(owner), spent(owner)) == (3, [NINETY], "90.00")
        check_books(world)

    def test_that_is_not_there_stops_it(self, owner: Person, world: World) -> None:
        forget_card(owner)
        use(owner, "one")
        run(world)
        assert (team(owner)["auto_recharge_stopped"], recharges(owner), spent(owner)) == ("no-card", [], "0.00")
        assert (bought(owner, "REJECTED"), mails(world, STOPPED)) == ([], [owner.email])

    def test_too_often_within_an_hour_is_tried_later(self, owner: Person, world: World) -> None:
        changed_card(owner, DECLINED)
        assert [owner.buy(how_many=1).status for _ in range(5)] == [402] * 5
        assert owner.save_card().status == 200
        use(owner, "one")
        run(world)
        assert (bought(owner), team(owner)["auto_recharge_enabled"], len(recharges(owner))) == ([], True, 1)
        world.advance(hours=1, minutes=1)
        run(world)
        assert (bought(owner), recharges(owner)) == ([NINETY], [])
        check_books(world)


def changed_card(owner: Person, number: str) -> None:
    """The owner's card is another, whatever its bank asked when it was saved."""
    answer = owner.save_card(number)
    if answer.json.get("status") == "requires_action":
        setup = answer.json["client_secret"].partition("_secret_")[0]
        owner.world.control(f"/_control/authenticate/{setup}", {"success": True})
    owner.world.settle()


class TestAnOwnerOfBadStanding:
    def test_is_not_charged(self, owner: Person, world: World) -> None:
        commit(world.table, [billing.marked(owner.user_id, {"invoice_1": Standing.BAD})])
        use(owner, "one")
        run(world)
        assert (owner.units(MENTORING), bought(owner), recharges(owner)) == (1, [], [])
        assert team(owner)["auto_recharge_stopped"] == "fraud-or-bad-reputation"
        assert len(world.at_stripe("payment_intent")) == 1


def is_cancelled(owner: Person) -> None:
    assert ask(owner, "cancel").status == 200


def is_refunded(owner: Person) -> None:
    clerk = staff(owner.world, "issue_refund")
    assert refund(clerk, holding(owner).id).status == 201


def is_in_dunning(owner: Person) -> None:
    now = owner.world.now
    dunning = Dunning(
        since=now,
        failures=1,
        payment_method_id=None,
        code="card_declined",
        hard=False,
        next_attempt_at=now + timedelta(days=1),
    )
    becomes(owner, status=Status.PAYMENT_ISSUE, dunning=dunning)


def is_paused(owner: Person) -> None:
    becomes(owner, status=Status.PAUSED)


def becomes(owner: Person, **changes: object) -> None:
    row = owner.world.table.get(subscriptions.holding_key(holding(owner)))
    assert row is not None
    after = load(Subscription, row).model_copy(update=changes)
    commit(owner.world.table, [subscriptions.changed_holding(after, version=row.version)])


def is_switched_off(owner: Person) -> None:
    assert owner.put(path_of(owner), {"auto_recharge_enabled": False}).status == 200


def is_limited(owner: Person) -> None:
    assert owner.put(path_of(owner), {"max_period_spend": 89}).status == 200


def is_too_dear(owner: Person) -> None:
    reprice(owner.world, price_per_unit=101)


def is_in_another_currency(owner: Person) -> None:
    reprice(owner.world, countries={"US": CountryPrice(ratio=Decimal(1), currency="EUR")})


def is_sold_by_the_dozen(owner: Person) -> None:
    reprice(owner.world, bundle_size=12)


def reprice(world: World, **changes: object) -> None:
    row = world.table.get(catalog_store.price_key(world.academy_id, MENTORING_ID))
    assert row is not None
    price = load(ServicePrice, row)
    commit(world.table, catalog.change(price, price.model_copy(update=changes), version=row.version))


WHYS: list[Callable[[Person], None]] = [
    is_cancelled,
    is_refunded,
    is_in_dunning,
    is_paused,
    is_switched_off,
    is_too_dear,
    is_in_another_currency,
    is_sold_by_the_dozen,
]


@pytest.mark.parametrize("why", WHYS, ids=lambda why: why.__name__)
class TestWhatDoesNotGoOn:
    def test_buys_nothing(self, owner: Person, world: World, why: Callable[[Person], None]) -> None:
        """Also where a use found it low before."""
        world.queue.lost = True
        use(owner, "one")
        assert len(recharges(owner)) == 1
        why(owner)
        world.queue.lost = False
        world.advance(minutes=16)
        run(world)
        assert (bought(owner), recharges(owner), spent(owner)) == ([], [], "0.00")
        check_books(world)

    def test_begins_nothing(self, owner: Person, world: World, why: Callable[[Person], None]) -> None:
        why(owner)
        run(world)
        use(owner, "one")
        run(world)
        assert (bought(owner), recharges(owner)) == ([], [])


@pytest.mark.parametrize("why", [is_cancelled, is_switched_off, is_in_dunning], ids=lambda why: why.__name__)
def test_what_stops_going_on_as_it_is_about_to_be_paid_is_not(
    owner: Person, world: World, why: Callable[[Person], None]
) -> None:
    began: list[int] = []

    def late(*args: Any, **named: Any) -> Any:
        if not began:
            began.append(1)
            why(owner)
        return begin(*args, **named)

    use(owner, "one")
    with patch.object(tend_recharge, "begin", late):
        run(world)
    assert (began, bought(owner), recharges(owner), spent(owner)) == ([1], [], [], "0.00")


class TestAPlanThatEnds:
    def test_while_it_is_paid_gives_the_money_back(self, owner: Person, world: World) -> None:
        with unheard(world):
            world.queue.lost = True
            use(owner, "one")
            lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}
            world.misbehave(webhooks={"drop": True}, rules=[lost])
            world.queue.lost = False
            world.settle()
        assert bought(owner, "PENDING") == [NINETY]
        is_refunded(owner)
        world.advance(minutes=16)
        run(world)
        assert (bought(owner), bought(owner, "REFUNDED"), recharges(owner)) == ([], [NINETY], [])
        assert (spent(owner), mails(world, "returning your payment of 90.00")) == ("0.00", [owner.email])
        check_books(world)

    def test_after_it_was_delivered_keeps_the_money_whoever_comes_late(self, owner: Person, world: World) -> None:
        before: list[Any] = []

        def keeping(context: Context, stored: StoredInvoice) -> Outcome:
            before.append(stored)
            return charge(context, stored)

        use(owner, "one")
        with patch.object(tend_recharge, "charge", keeping):
            run(world)
        is_refunded(owner)
        run(world)
        (stored,) = before
        reference = billing_queries.invoice(world.table, owner.user_id, stored.invoice.id).invoice.payment
        assert reference is not None and reference.payment_id is not None
        payment = world.runtime.gateway.payment(reference.payment_id)
        assert payment is not None
        outcome = settle(world.runtime.context(world.now), stored, payment)
        run(world)
        assert isinstance(outcome, Settled)
        assert (bought(owner), mails(world, "returning your payment")) == ([NINETY], [])
        check_books(world)

    def test_leaves_what_was_bought_to_its_owner_alone(self, owner: Person, world: World) -> None:
        member = world.person()
        seated(owner, member)
        use(owner, "one")
        run(world)
        is_cancelled(owner)
        assert member.units(MENTORING) == 3
        live(world, 31)
        assert (member.units(MENTORING), owner.units(MENTORING)) == (0, 2)
        refused(use(member, "two"), 402, "insufficient-credits")
        assert use(owner, "two").status == 201
        check_books(world)


class TestMoneyBack:
    def test_takes_the_units_from_the_pool(self, owner: Person, world: World) -> None:
        use(owner, "one")
        run(world)
        (invoice, *_) = owner.invoices()
        answer = refund(staff(world, "issue_refund"), invoice["id"], amount=45)
        assert answer.status == 201, answer.text
        run(world)
        assert (owner.units(MENTORING), spent(owner)) == (2, "90.00")
        assert refund(staff(world, "issue_refund"), invoice["id"], key="two").status == 201
        run(world)
        assert (owner.units(MENTORING), bought(owner, "REFUNDED")) == (1, [NINETY])
        check_books(world)

    def test_of_units_that_ran_out_takes_none_for_spent(self, world: World) -> None:
        reprice(world, units_live=1)
        owner = recharging(world)
        use(owner, "one")
        run(world)
        live(world, 40)
        assert world.sweep()["expired"]
        (invoice,) = [one for one in owner.invoices(limit="100") if one["amount"] == NINETY]
        answer = refund(staff(world, "issue_refund"), invoice["id"])
        assert (answer.status, answer.json["taken_back"]) == (201, []), answer.text
        run(world)
        check_books(world)


class TestAnAttemptThatNobodyLookedAt:
    def test_given_up_is_tried_again(self, owner: Person, world: World) -> None:
        """As the sweep does of a payment that never came to be."""
        with unheard(world):
            world.queue.lost = True
            use(owner, "one")
            down = {"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 1_000_000}
            world.misbehave(rules=[down])
            world.queue.lost = False
            world.settle()
        (waiting,) = recharges(owner)
        assert waiting.invoice_id is not None
        stored = billing_queries.invoice(world.table, owner.user_id, waiting.invoice_id)
        void(world.runtime.context(world.now), stored, "never-charged")
        assert (spent(owner), recharges(owner)[0].invoice_id) == ("0.00", None)
        world.advance(minutes=11)
        run(world)
        assert (bought(owner), spent(owner), owner.units(MENTORING)) == ([NINETY], "90.00", 3)
        check_books(world)

    @pytest.mark.parametrize("why", [is_cancelled, is_switched_off, is_limited], ids=lambda why: why.__name__)
    def test_is_not_made_once_its_owner_wants_it_no_more(
        self, owner: Person, world: World, why: Callable[[Person], None]
    ) -> None:
        world.misbehave(
            rules=[{"match": "POST /v1/payment_intents", "action": "refuse_connection", "times": 1_000_000}]
        )
        use(owner, "one")
        run(world)
        assert bought(owner, "PENDING") == [NINETY]
        world.misbehave(rules=[])
        why(owner)
        for _ in range(4):
            world.advance(minutes=11)
            run(world)
        assert (len(world.at_stripe("payment_intent")), bought(owner, "VOIDED"), spent(owner)) == (1, [NINETY], "0.00")
        assert [one.invoice_id for one in recharges(owner)] in ([], [None])
        check_books(world)

    def test_is_delivered_where_it_was_paid_before_its_owner_wanted_it_no_more(
        self, owner: Person, world: World
    ) -> None:
        with unheard(world):
            lost = {"match": "POST /v1/payment_intents", "action": "lose_answer", "times": 2}
            world.misbehave(webhooks={"drop": True}, rules=[lost])
            use(owner, "one")
            world.settle()
        assert bought(owner, "PENDING") == [NINETY]
        is_switched_off(owner)
        world.advance(minutes=11)
        world.settle()
        assert (owner.units(MENTORING), bought(owner), spent(owner), recharges(owner)) == (3, [NINETY], "90.00", [])
        check_books(world)
