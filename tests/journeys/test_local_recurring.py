"""What recurs under the local run's clock: a long move comes to the same as the days that it is made of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from local.demo_calls import read_demo
from local.demo_steps import CARD_THAT_IS_DECLINED, GOOD_CARD, Person
from tests.local_server import LocalServer, a_local_server

DAY = 86_400
DAYS = 32


def lived(server: LocalServer, *, moves: int) -> dict[str, Any]:
    """A month and a retry of somebody whose card is declined at the renewal, in so many moves of the clock."""
    person = Person(read_demo(server.process.demo_file))
    person.save_card(GOOD_CARD)
    paid = person.must("POST", "/v2/payments/pay", {"token": person.check()["token"], "chosen_period": "MONTH"})
    person.save_card(CARD_THAT_IS_DECLINED)
    for _ in range(moves):
        assert server.advance(DAYS * DAY // moves).status == 200
    found = person.must("GET", "/v1/payments/me/subscription")["subscriptions"]
    invoices = person.must("GET", "/v1/payments/me/invoice?limit=100")
    mails = server.call("GET", f"/_local/mails?to={person.email}").json
    begun = day(paid["created_at"])
    return {
        "states": [one["status"] for one in found],
        "invoices": [(one["status"], one["amount"], round(day(one["created_at"]) - begun, 2)) for one in invoices],
        "mails": [mail["subject"] for mail in mails],
    }


def day(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() / DAY


def test_a_failing_card_comes_to_the_same_in_one_move_as_in_days() -> None:
    lives = []
    for moves in (1, DAYS):
        with a_local_server() as server:
            lives.append(lived(server, moves=moves))
    assert lives[0] == lives[1]
    assert lives[0]["states"] == ["PAYMENT_ISSUE"]
    assert [status for status, _, _ in lives[0]["invoices"]] == ["REJECTED", "FULFILLED"]
