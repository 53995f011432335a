"""The worker's turns: everything that is due about one person, on its day, by six calls of the table at most."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from unittest.mock import patch

from bench.operations import PLAN, Operation, checking
from bench.place import Place
from bench.requests import CARD, Person, WrongAnswer, a_payer, a_person, request
from chalicelib.books.subscriptions import queries, store
from chalicelib.books.subscriptions.course import next_refill_at
from chalicelib.books.subscriptions.model import Holding
from chalicelib.entrypoints import workers

FREE, FINANCED = "community-free", "premium-bootcamp"
DECLINED = "4000000000000341"
CALLS_MAX = 6


def turns(place: Place) -> tuple[Operation, ...]:
    """What recurs of the figures."""
    return (
        Operation("worker: a renewal, with units that last", lambda: _renewal(place), calls=CALLS_MAX),
        Operation("worker: one that is free", lambda: _of(place, _holder(place, FREE, card=False)), calls=CALLS_MAX),
        Operation("worker: an instalment", lambda: _of(place, _holder(place, FINANCED)), calls=CALLS_MAX),
        Operation("worker: a refusal, with units that last", lambda: _refusal(place), calls=CALLS_MAX),
        Operation("worker: a refill", lambda: _refill(place), calls=CALLS_MAX),
    )


@dataclass(frozen=True, slots=True)
class Turn:
    """A nudge about a holding, handled at an instant; `check` makes sure that something was done."""

    place: Place
    person: Person
    before: Holding
    at: datetime

    def __call__(self) -> Any:
        key = store.holding_key(self.before)
        body = json.dumps({"pk": key.pk, "sk": key.sk})
        with patch.object(self.place.runtime, "clock", lambda: self.at):
            return workers.handle_holdings({"Records": [{"messageId": "1", "body": body}]})

    def check(self) -> None:
        after = _holding(self.place, self.person)
        if (after.payments, after.dunning, after.refills) == (
            self.before.payments,
            self.before.dunning,
            self.before.refills,
        ):
            raise WrongAnswer("nothing was done about the subscription")


def _renewal(place: Place) -> Turn:
    return _of(place, _holder(place, PLAN))


def _refusal(place: Place) -> Turn:
    person = _holder(place, PLAN)
    card = {**CARD, "card_number": DECLINED, "academy": place.academy_id}
    request("POST", "/v2/payments/card", person=person, body=card)()
    return _of(place, person)


def _refill(place: Place) -> Turn:
    person = _holder(place, PLAN, period="YEAR")
    at = next_refill_at(_holding(place, person))
    if at is None:
        raise WrongAnswer("nothing is refilled")
    return Turn(place, person, _holding(place, person), at)


def _of(place: Place, person: Person) -> Turn:
    holding = _holding(place, person)
    if holding.next_payment_at is None:
        raise WrongAnswer("nothing is to be paid")
    return Turn(place, person, holding, holding.next_payment_at)


def _holder(place: Place, plan: str, *, card: bool = True, period: str = "MONTH") -> Person:
    person = a_payer(place) if card else a_person(place)
    bag = checking(person, plan)()
    chosen: dict[str, Any] = {"how_many_installments": 12} if plan == FINANCED else {"chosen_period": period}
    request("POST", "/v2/payments/pay", person=person, body={"token": bag["token"], "coupons": [], **chosen})()
    return person


def _holding(place: Place, person: Person) -> Holding:
    table = place.runtime.table
    found: list[Holding] = [*queries.subscriptions(table, person.user_id), *queries.financings(table, person.user_id)]
    return found[0]
