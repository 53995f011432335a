"""From looking to paying, over HTTP: bags and their payments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from chalicelib.books.billing import queries as billing
from chalicelib.books.billing.model import BagKind
from chalicelib.books.billing.queries import BagNotFound, InvoiceNotFound
from chalicelib.books.catalog.coupon_store import CouponUsedUp
from chalicelib.books.catalog.pricing import AmountTooHigh, MultipleCurrenciesFound, TooFewItems, TooManyItems
from chalicelib.books.subscriptions.store import PlanAlreadyBought, PlanAlreadyFinanced, TrialAlreadyTaken
from chalicelib.books.waiting.model import PlanAtCapacity
from chalicelib.entrypoints._auth import AcademyMismatch, academy_id_of
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints._keyed import keyed
from chalicelib.entrypoints.academy.bags import BagOut, QuoteOut, bag_out, quote_of_invoice, quote_out
from chalicelib.entrypoints.academy.buyers import buyer_of, whence_of
from chalicelib.entrypoints.academy.inputs import ChosenPeriod, Country, Ref, Slug
from chalicelib.entrypoints.academy.paying import REFUSALS_OF_PAYMENT, WaitingOut, answer_of, paid_answer
from chalicelib.entrypoints.academy.schemas import InvoiceOut, invoice_out
from chalicelib.flows.checkout import check as checking
from chalicelib.flows.checkout.check import Check, check
from chalicelib.flows.checkout.coupons import TooManyCoupons
from chalicelib.flows.checkout.pay import (
    BagExpired,
    CouponNotInBag,
    InstalmentsNotOffered,
    MissingChosenPeriod,
    Pay,
    PeriodDisabled,
    pay,
)
from chalicelib.flows.checkout.quote import Content, PlanNotReady

ADD_ONS_MAX = 20


CONVERSION_TEXT_MAX = 2000

ConversionKey = Literal[
    "utm_placement",
    "utm_referrer",
    "utm_medium",
    "utm_source",
    "utm_term",
    "utm_content",
    "utm_campaign",
    "conversion_url",
    "landing_url",
    "user_agent",
    "plan",
    "coupon",
    "ref",
    "location",
    "translations",
    "internal_cta_placement",
    "internal_cta_content",
    "internal_cta_campaign",
    "sale",
]
ConversionValue = Annotated[str, Field(max_length=CONVERSION_TEXT_MAX)] | None


class AddOnIn(Input):
    """An add-on of the plan: so many units a month."""

    service: Ref
    how_many: int = Field(ge=1, le=1_000_000)


class CheckingBody(Input):
    slugs: ClassVar[Mapping[str, str]] = {
        "type": "invalid-bag-type",
        "coupons": "invalid-coupons",
        "team_seats": "seats-must-be-an-integer",
        "service_items": "service-item-malformed",
    }

    type: Literal["BAG", "PREVIEW"] = "BAG"
    plans: list[Ref] = Field(default=[], max_length=20)
    service_items: list[AddOnIn] = Field(default=[], max_length=ADD_ONS_MAX)
    country_code: Country | None = None
    coupons: list[Slug] = Field(default=[], max_length=20)
    team_seats: int | None = Field(default=None, ge=1, le=checking.SEATS_MAX)
    academy: Ref | None = None
    academy_id: Ref | None = None

    @field_validator("type", mode="before")
    @classmethod
    def _upper(cls, value: Any) -> Any:
        return value.upper() if isinstance(value, str) else value


class CouponIn(Input):
    """A coupon as the bag showed it. Only the slug is read: the bag decides what it is worth."""

    slug: Slug


class PayBody(Input):
    slugs: ClassVar[Mapping[str, str]] = {
        "token": "missing-token",
        "chosen_period": "invalid-chosen-period",
        "how_many_installments": "invalid-how-many-installments",
        "coupons": "invalid-coupons",
        "conversion_info": "conversion-info-invalid-key",
    }

    token: str = Field(min_length=1, max_length=100)
    chosen_period: ChosenPeriod | None = None
    how_many_installments: int | None = Field(default=None, ge=1, le=120)
    coupons: list[CouponIn] = Field(default=[], max_length=20)
    conversion_info: dict[ConversionKey, ConversionValue] | None = None


@route(
    "PUT",
    "/v2/payments/checking",
    access=Access.PERSON,
    answers={200: BagOut},
    errors=(
        checking.SomeItemsNotFound,
        checking.MoreThanOnePlan,
        checking.NoPlan,
        TooManyCoupons,
        checking.PlanNotSupportTeams,
        checking.ServiceItemNotValid,
        PlanAlreadyBought,
        PlanAlreadyFinanced,
        PlanAtCapacity,
        PlanNotReady,
        MultipleCurrenciesFound,
        TooFewItems,
        TooManyItems,
        AmountTooHigh,
        AcademyMismatch,
    ),
)
def check_bag(call: Call, body: CheckingBody) -> Answer:
    """Quote a plan and freeze the quote in a bag for an hour."""
    command = Check(
        kind=BagKind(body.type),
        plans=body.plans,
        academy_id=academy_id_of(call, body),
        country=body.country_code,
        coupons=body.coupons,
        team_seats=body.team_seats,
        add_ons={item.service: item.how_many for item in body.service_items},
    )
    return Answer(200, bag_out(check(call.runtime.context(call.now), buyer_of(call.person), command)))


@route(
    "POST",
    "/v2/payments/pay",
    access=Access.PERSON,
    keyed=True,
    answers={200: InvoiceOut, 202: WaitingOut},
    errors=(
        *REFUSALS_OF_PAYMENT,
        BagNotFound,
        BagExpired,
        MissingChosenPeriod,
        PeriodDisabled,
        InstalmentsNotOffered,
        CouponNotInBag,
        PlanAlreadyBought,
        PlanAlreadyFinanced,
        PlanAtCapacity,
        TrialAlreadyTaken,
        CouponUsedUp,
    ),
)
def pay_bag(call: Call, body: PayBody) -> Answer:
    """Pay a checked bag. The same bag again answers the same invoice."""
    command = Pay(
        token=body.token,
        period=body.chosen_period,
        instalments=None if body.chosen_period is not None else body.how_many_installments,
        coupons=[coupon.slug for coupon in body.coupons],
        conversion_info={name: value for name, value in (body.conversion_info or {}).items() if value is not None},
        whence=whence_of(call),
    )
    key = keyed(call, "pay", lambda result: paid_answer(result, 200, invoice_out))
    return answer_of(pay(call.runtime.context(call.now), buyer_of(call.person), command, key), 200, invoice_out)


@route(
    "GET",
    "/v1/payments/me/bag/{bag_id}/quote",
    access=Access.PERSON,
    answers={200: QuoteOut},
    errors=(BagNotFound,),
)
def get_quote(call: Call, bag_id: int) -> Answer:
    """How the amounts of a bag came about: each rule, what went in, what came out, and what rounding added."""
    table, user_id = call.runtime.table, call.person.user_id
    try:
        stored = billing.bag(table, user_id, bag_id)
    except BagNotFound:
        try:
            return Answer(200, quote_of_invoice(billing.invoice(table, user_id, bag_id).invoice))
        except InvoiceNotFound as error:
            raise BagNotFound from error
    return Answer(200, quote_out(stored.bag, Content.model_validate_json(stored.content)))
