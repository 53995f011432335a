"""Who the five customers of the year are, what they do and when, and what they were promised."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from chalicelib.kernel.periods import Span, Unit, boundary
from local.demo_calls import Disappointed, Found, expect, request
from local.demo_steps import CARD_THAT_IS_DECLINED, GOOD_CARD, PLAN, Person

BOOTCAMP = "premium-bootcamp"
DAY_SECONDS = 86_400
MOVE_DAYS = 15
INVOICES_MAX = 100
MONTH = Span(1, Unit.MONTH)


@dataclass(frozen=True, slots=True)
class Promise:
    """What a customer agreed to. `days`: whether each charge comes on the very day that the calendar says."""

    state: str
    charges: int
    days: bool = True


@dataclass
class Life:
    """A customer's year. `agreed`: the amount of the first payment. `seen`: the state of each invoice that was told."""

    person: Person
    promise: Promise
    seen: dict[int, str] = field(default_factory=dict)
    state: str = ""
    agreed: float = 0.0

    def holding(self) -> Any:
        """The one plan that they bought, whatever became of it."""
        for query in ("", *(f"?status={state}" for state in OVER)):
            found = self.person.must("GET", f"/v1/payments/me/subscription{query}")
            for one in (*found["subscriptions"], *found["plan_financings"]):
                return one
        raise Disappointed(f"{self.person.email} has no plan any more")

    def invoices(self) -> list[Any]:
        """Oldest first."""
        found = self.person.must("GET", f"/v1/payments/me/invoice?limit={INVOICES_MAX}")
        return sorted(found, key=lambda invoice: str(invoice["created_at"]))

    def charges(self) -> list[Any]:
        return [invoice for invoice in self.invoices() if invoice["status"] == "FULFILLED"]


OVER = ("CANCELLED", "EXPIRED", "FULLY_PAID")
PROMISES = {
    "healthy": Promise("ACTIVE", 12),
    "recovering": Promise("ACTIVE", 12, days=False),
    "failing": Promise("EXPIRED", 6),
    "cancelling": Promise("CANCELLED", 4),
    "instalments": Promise("FULLY_PAID", 12),
}


class Year:
    """The five, and the day on which they are."""

    def __init__(self, found: Found) -> None:
        self._found = found
        self.day = 0
        self.lives = {name: Life(Person(found), promise) for name, promise in PROMISES.items()}
        self.began = self._now()

    def until(self, day: int) -> Iterator[str]:
        """Move the clock to a day of the year, and tell what happened meanwhile."""
        while self.day < day:
            step = min(MOVE_DAYS, day - self.day)
            body = {"advance_seconds": step * DAY_SECONDS}
            moved = request("POST", f"{self._found.api_url}/_local/clock", body=body)
            expect(moved.status == 200, f"the clock did not move: {moved.body}")
            self.day += step
            yield from self.news()

    def news(self) -> Iterator[str]:
        """What is new of each since it was told, in the order in which it happened."""
        lines = []
        for name, life in self.lives.items():
            for invoice in life.invoices():
                if life.seen.get(invoice["id"]) != invoice["status"]:
                    life.seen[invoice["id"]] = invoice["status"]
                    what = "paid" if invoice["status"] == "FULFILLED" else invoice["status"].lower()
                    at = str(invoice["paid_at"] or invoice["created_at"])
                    lines.append((at, _row(at[:10], name, f"{invoice['amount']:8.2f} {what}")))
            state = life.holding()["status"]
            if state != life.state:
                life.state = state
                at = self._now().isoformat()
                lines.append((at, _row(f"by {at[:10]}", name, f"         is {state}")))
        return iter([line for _, line in sorted(lines)])

    def summary(self) -> Iterator[str]:
        yield _row("", "customer", " charges    total  state")
        for name, life in self.lives.items():
            charges = life.charges()
            total = sum(charge["amount"] for charge in charges)
            yield _row("", name, f"{len(charges):8d} {total:8.2f}  {life.holding()['status']}")

    def check(self) -> None:
        """Raises Disappointed where anything is not as it was promised."""
        for name, life in self.lives.items():
            promise, charges = life.promise, life.charges()
            state = life.holding()["status"]
            expect(state == promise.state, f"{name} is {state}, and should be {promise.state}")
            expect(len(charges) == promise.charges, f"{name} was charged {len(charges)} times, not {promise.charges}")
            amounts = {charge["amount"] for charge in charges}
            expect(amounts == {life.agreed}, f"{name} was charged {amounts}, not {life.agreed}")
            days = [date.fromisoformat(str(charge["created_at"])[:10]) for charge in charges]
            if promise.days:
                wanted = [boundary(self.began, MONTH, number).date() for number in range(promise.charges)]
                expect(days == wanted, f"{name} was charged on {days}, not on {wanted}")
        expected = sorted(charge["id"] for life in self.lives.values() for charge in life.charges())
        expect(self._paid_at_stripe() == expected, "what was paid at Stripe is not what was to be paid")

    def _paid_at_stripe(self) -> list[int]:
        """The invoices of all payments that took money: one that took it twice is there twice."""
        headers = {"Authorization": f"Bearer {self._found.stripe_secret_key}"}
        paid, after = [], ""
        while True:
            url = f"{self._found.stripe_api_url}/v1/payment_intents?limit=100{after}"
            page = request("GET", url, headers=headers).body
            paid += [int(one["metadata"]["invoice_id"]) for one in page["data"] if one["status"] == "succeeded"]
            if not page["has_more"]:
                return sorted(paid)
            after = f"&starting_after={page['data'][-1]['id']}"

    def _now(self) -> datetime:
        now = request("GET", f"{self._found.api_url}/_local/clock").body["now"]
        return datetime.fromtimestamp(now, UTC)


def all_begin(year: Year) -> Iterator[str]:
    """Everybody saves a card and buys."""
    for name, life in year.lives.items():
        life.person.save_card(GOOD_CARD)
        plan: str = PLAN
        terms: dict[str, object] = {"chosen_period": "MONTH"}
        if name == "instalments":
            plan, terms = BOOTCAMP, {"how_many_installments": 12}
        body = {"type": "PREVIEW", "plans": [plan], "country_code": "US"}
        bag = life.person.must("PUT", "/v2/payments/checking", body)
        life.agreed = life.person.must("POST", "/v2/payments/pay", {"token": bag["token"], **terms})["amount"]
    return year.news()


def card_fails(name: str) -> Callable[[Year], Iterator[str]]:
    def step(year: Year) -> Iterator[str]:
        year.lives[name].person.save_card(CARD_THAT_IS_DECLINED)
        yield _row(f"day {year.day}", name, "         has a card that will be declined")

    return step


def new_card(year: Year) -> Iterator[str]:
    """The one who recovers saves a good card, three days after the refusal."""
    life = year.lives["recovering"]
    state = life.holding()["status"]
    expect(state == "PAYMENT_ISSUE", f"recovering is {state} after its card was declined")
    life.person.save_card(GOOD_CARD)
    yield _row(f"day {year.day}", "recovering", "         saves a good card")


def cancels(year: Year) -> Iterator[str]:
    life = year.lives["cancelling"]
    life.person.must("PUT", f"/v1/payments/me/subscription/{life.holding()['id']}/cancel")
    yield _row(f"day {year.day}", "cancelling", "         cancels, and keeps what is paid for")


def nothing(_year: Year) -> Iterator[str]:
    return iter(())


STEPS: tuple[tuple[int, Callable[[Year], Iterator[str]]], ...] = (
    (0, all_begin),
    (75, card_fails("recovering")),
    (95, new_card),
    (100, cancels),
    (160, card_fails("failing")),
    (360, nothing),
)
"""Days of the year, each at least three away from the charges before and after it."""


def _row(when: str, who: str, what: str) -> str:
    return f"{when:14} {who:12} {what}"
