"""Stored types as JSON: what another release wrote is read as it was meant."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import asdict

from chalicelib.books.billing.model import AppliedCoupon, Customer, InvoiceKind, PaymentRef, SavedCard
from chalicelib.books.catalog.model import (
    CountryPrice,
    Coupon,
    Feature,
    Group,
    Offer,
    Period,
    Permission,
    PricedItem,
)
from chalicelib.books.idempotency.model import Record, StoredAnswer
from chalicelib.books.inbox.model import EventStatus
from chalicelib.books.ledger.model import Entry, EntryKind, Origin, Portion, SetRef, Source
from chalicelib.books.ledger.model import Unit as LedgerUnit
from chalicelib.books.subscriptions.model import TermCoupon, Terms
from chalicelib.flows.checkout.quote import Content, CouponRefused, Trial, Way
from chalicelib.flows.fulfillment.delivery import Access, Delivery, PlanDelivery, UnitsDelivery
from chalicelib.kernel.documents import Document
from chalicelib.kernel.periods import Unit
from chalicelib.kernel.quotes import Line, Priced, Step
from tests import shop
from tests.billing_rows import a_bag, a_buyer, a_dispute, a_refund, a_term_item, a_unit, an_invoice, some_terms
from tests.conformance import things

AT = datetime(2026, 11, 21, 12, 30, 15, 123456, tzinfo=UTC)
LATER = datetime(2027, 1, 31, tzinfo=UTC)
WRITTEN = Path(__file__).with_name("documents_0_1_0.json")
"""The JSON of each of `documents()`, as release 0.1.0 wrote it with pydantic."""

ROOT = Path(__file__).parents[2]
READERS = """
import sys, threading
from chalicelib.kernel.documents import Document

sys.setswitchinterval(1e-6)
for _ in range(60):
    for depth in range(8):
        kind = f"'int | One{depth - 1}'" if depth else "int"
        fields = "".join(f" f{number}: {kind} = 0\\n" for number in range(8))
        exec(f"class One{depth}(Document):\\n{fields}")
    texts = ['{"f7":' * depth + "1" + "}" * depth for depth in range(1, 9)]
    barrier, read = threading.Barrier(8), []
    def reader(depth):
        barrier.wait()
        read.append(globals()[f"One{depth - 1}"].model_validate_json(texts[depth - 1]))
    threads = [threading.Thread(target=reader, args=(depth,)) for depth in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(read) == 8, read
print("all read")
"""
"""Eight threads that each read another of eight nested classes, all for the first time."""


def documents() -> dict[str, Document]:
    """One of each stored type, with values of every kind."""
    return {**_of_the_catalog(), **_of_billing(), **_of_the_ledger(), **_of_people(), **_of_work()}


def _line() -> Line:
    return Line(
        id="plan",
        description="Básico, 3 months",
        quantity=3,
        months=3,
        unit_price=Decimal("59.990"),
        exact_amount=Decimal("5.39910E+1"),
        remainder=Decimal("-0.001"),
        full_amount=5999,
        amount=5399,
        steps=(Step(rule="coupon", input="59.99", result="53.991"),),
    )


def _coupon() -> Coupon:
    return shop.a_coupon(AT, 4, expires_at=LATER, renewals=3)


def _terms() -> Terms:
    half = TermCoupon(
        slug="half", discount_type="PERCENT_OFF", discount_value=Decimal("0.5"), renewals=None, expires_at=LATER
    )
    return some_terms(lines=(_line(),), items=(a_term_item(pooled=True),), coupons=(half,))


def _unit() -> LedgerUnit:
    return a_unit(set=asdict(SetRef(kind="cohort", id=5, slug="c")), session_seconds=60)


def _of_the_catalog() -> dict[str, Document]:
    country = {"MX": CountryPrice(ratio=Decimal("0.70"), currency="MXN", prices={"price_per_month": Decimal("999.00")})}
    plan = shop.a_plan(AT, 4, countries=country, time_of_life=12, time_of_life_unit=Unit.MONTH)
    groups = (Group(name="g", permissions=(Permission(name="n", codename="c"),)),)
    service = shop.a_service(groups=groups, session_seconds=60, owner_id=4)
    item = shop.an_item(features=(Feature(lang="es", title="Ñ"),))
    offer = Offer(
        plan=plan,
        items=(PricedItem(link_id=1, item=item, service=service),),
        financing_options=(),
        sets=(),
        seat_price=shop.a_price(4),
    )
    content = Content(
        offer=offer,
        country="MX",
        currency="USD",
        seats=1,
        extra_seats=0,
        add_ons={shop.CHAT: 300},
        coupons=(_coupon(),),
        coupons_refused=(CouponRefused(slug="old", reason="expired"),),
        ways=(Way(period=Period.YEAR, priced=Priced(lines=(_line(),), currency="USD"), renewal_amount=5999),),
        trial=Trial(duration=7, unit=Unit.DAY, first_charge_at=LATER),
        life=(12, Unit.MONTH),
    )
    return {
        "service": service,
        "item": item,
        "plan": plan,
        "price": shop.a_price(4),
        "coupon": _coupon(),
        "content": content,
    }


def _of_billing() -> dict[str, Document]:
    applied = AppliedCoupon(
        slug="half",
        discount_type="PERCENT_OFF",
        discount_value="0.5",
        referral_type="NO_REFERRAL",
        referral_value="0",
        auto=False,
        offered_at=AT,
        expires_at=None,
    )
    reference = PaymentRef(
        account="default",
        customer_id="cus_1",
        payment_method_id="pm_1",
        card_brand="visa",
        card_last4="4242",
        key="charge_1",
        attempted_at=AT,
    )
    invoice = an_invoice(
        kind=InvoiceKind.UNITS,
        lines=(_line(),),
        coupons=(applied,),
        conversion_info={"utm_source": "søk"},
        payment=reference,
        refunds=(a_refund(100),),
        disputes=(a_dispute(50, "lost"),),
        paid_at=AT,
    )
    card = SavedCard(payment_method_id="pm_1", brand="visa", last4="4242", exp_month=1, exp_year=2030, fingerprint="f")
    return {
        "buyer": a_buyer(),
        "bag": a_bag(country="MX"),
        "invoice": invoice,
        "customer": Customer(user_id=7, account="default", customer_id="cus_1", card=card, updated_at=AT),
    }


def _of_the_ledger() -> dict[str, Document]:
    terms, unit = _terms(), _unit()
    origin = Origin(source=Source.PLAN, invoice_id=3001, subscription_id=3001)
    portion = Portion(lot_id="l", units=2, page=1, granted=10, expires_at=LATER, created_at=AT, origin=origin)
    trial = PlanDelivery(access=Access.TRIAL, terms=terms, trial_every=7, life_every=1)
    return {
        "terms": terms,
        "delivery of a plan": Delivery(plan=trial, coupons=(_coupon(),)),
        "delivery of units": Delivery(units=UnitsDelivery(unit=unit, how_many=-1, live_every=3)),
        "subscription": things.a_subscription(terms=terms),
        "financing": things.a_financing(),
        "unit": unit,
        "origin": origin,
        "grant": things.a_grant(expires_at=LATER),
        "entry": Entry(
            id="e", kind=EntryKind.CONSUME, unit=unit, units=-2, portions=(portion,), cause="session:1", at=AT
        ),
    }


def _of_people() -> dict[str, Document]:
    return {
        "user": things.a_user(password_hash="$argon2id$x"),
        "academy": things.an_academy(),
        "membership": things.a_membership(capabilities=("read_service",)),
        "credential": things.a_credential(scopes=("a", "b"), expires_at=LATER),
        "token": things.a_token_entry(),
        "key": things.an_api_key(),
    }


def _of_work() -> dict[str, Document]:
    taken = (("USER", 7, "e"), ("TEAM", 900, "f"))
    return {
        "session": things.a_session(takings=taken, hash="h", eta=AT + timedelta(hours=1)),
        "event": things.an_event(status=EventStatus.PARKED, attempts=3, error="x", next_attempt_at=LATER),
        "message": things.a_message(),
        "activity": things.an_activity(facts={"invoice": 1, "status": "FULFILLED", "reason": None}),
        "record": Record(input_hash="h", subject=1, answer=StoredAnswer(status=200, body='{"é": 1}'), created_at=AT),
    }


class TestWhatPydanticWrote:
    @pytest.mark.parametrize("name", sorted(documents()))
    def test_is_read_as_it_was_meant(self, name: str) -> None:
        found, meant = json.loads(WRITTEN.read_text())[name], documents()[name]
        assert type(meant).model_validate_json(found) == meant

    @pytest.mark.parametrize("name", sorted(documents()))
    def test_is_what_is_written_now(self, name: str) -> None:
        """So that a release before this one reads it: the deployment may be rolled back."""
        before, now = (
            json.loads(text) for text in (json.loads(WRITTEN.read_text())[name], documents()[name].model_dump_json())
        )
        assert says(now, before)


def says(now: Any, before: Any) -> bool:
    """Whether `now` says all that `before` said. A field that is null says nothing; later releases have more fields."""
    if isinstance(before, dict):
        return all(says(now.get(name), value) for name, value in before.items() if value is not None)
    if isinstance(before, list):
        return len(now) == len(before) and all(map(says, now, before))
    return bool(now == before)


class Part(Document):
    name: str
    secret: str = "none"

    unseen = frozenset({"secret"})


class Whole(Document):
    part: Part
    parts: tuple[Part, ...] = ()
    at: datetime | None = None


class TestADocument:
    def test_of_another_release_drops_what_it_does_not_know_and_takes_defaults(self) -> None:
        read = Whole.model_validate_json('{"part": {"name": "a", "new": 1}, "newer": [2]}')
        assert read == Whole(part=Part(name="a"))

    @pytest.mark.parametrize(
        "text", ["", "{}", '{"part": {}}', '{"part": {"name": 1}}', '{"part": {"name": null}}', "[]"]
    )
    def test_that_cannot_be_read_is_an_error(self, text: str) -> None:
        with pytest.raises(msgspec.DecodeError):
            Whole.model_validate_json(text)

    def test_is_frozen_and_takes_its_fields_by_name(self) -> None:
        part = Part(name="a")
        with pytest.raises(AttributeError):
            part.name = "b"  # type: ignore[misc]
        with pytest.raises(TypeError):
            Part("a")  # type: ignore[call-arg]

    def test_is_copied_with_changes_and_no_others(self) -> None:
        part = Part(name="a", secret="s")
        assert part.model_copy(update={"name": "b"}) == Part(name="b", secret="s")
        with pytest.raises(TypeError):
            part.model_copy(update={"nam": "b"})

    def test_hides_what_nobody_should_see(self) -> None:
        assert repr(Part(name="a", secret="s")) == "Part(name='a')"
        assert "d2" not in repr(things.an_api_key()) and "d1" not in repr(things.a_token_entry())
        assert "argon" not in repr(things.a_user(password_hash="$argon2id$x"))


class TestCountries:
    def test_are_known_by_upper_case_codes(self) -> None:
        price = shop.a_price(4, countries={"mx": CountryPrice(ratio=Decimal("0.7"))})
        assert set(price.countries) == {"MX"}
        assert set(type(price).model_validate_json(price.model_dump_json().replace('"MX"', '"mx"')).countries) == {"MX"}


class TestADiscount:
    @pytest.mark.parametrize("value", [Decimal("-0.01"), Decimal("1.01"), Decimal("NaN")])
    def test_is_nothing_to_everything(self, value: Decimal) -> None:
        coupon = shop.a_coupon(AT, 4)
        with pytest.raises(ValueError, match="off"):
            coupon.model_copy(update={"discount_value": value})
        with pytest.raises(msgspec.ValidationError):
            Coupon.model_validate_json(coupon.model_dump_json().replace('"0.5"', f'"{value}"'))


class TestAFirstUse:
    def test_by_many_threads_at_once_reads_what_is_there(self) -> None:
        """In a process of its own: what this guards against is a segmentation fault."""
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-c", READERS], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stdout) == (0, "all read\n"), done.stderr
