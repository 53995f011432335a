"""What operators can show the bank of a disputed payment."""

from __future__ import annotations

from typing import Any

from tests.journeys.test_renewals import month
from tests.journeys.test_staff_refunds import USE, bought, use
from tests.recurring import holding, subscribed, until
from tests.teams import an_owner, seated
from tests.world import World


def test_says_what_was_bought_used_when_and_from_where(world: World) -> None:
    person = world.paying()
    whence = {"X_Forwarded_For": "6.6.6.6, 203.0.113.9", "User_Agent": "Browser/1"}
    assert person.buy(headers=whence).status == 201
    world.advance(hours=1)
    used_at = world.now
    assert person.put(USE.format(service="mentorship-service"), **whence).status == 201
    world.advance(hours=1)
    assert person.buy(how_many=1).status == 201
    payment = world.at_stripe("payment_intent")[0]["id"]
    world.control(f"/_control/dispute/{payment}", {"outcome": "open"})
    world.settle()
    (made,) = world.at_stripe("dispute")
    operator = world.person(operator=True)
    answer = operator.get(f"/ops/disputes/{made['id']}/evidence")
    assert answer.status == 200, answer.text
    found = answer.json
    assert (found["amount"], found["status"], found["reason"]) == (450.0, "needs_response", "fraudulent")
    assert found["evidence_due_at"] > found["opened_at"]
    assert found["customer"]["email"] == person.email
    bought_then = found["bought"]
    assert (bought_then["ip"], bought_then["user_agent"]) == ("203.0.113.9", "Browser/1")
    assert (bought_then["payment"], bought_then["card"]) == (payment, {"brand": "visa", "last4": "4242"})
    assert [line["amount"] for line in bought_then["lines"]] == [450.0]
    (once,) = found["uses"]
    assert (once["units"], once["service"], once["status"]) == (1, "mentorship-service", "DONE")
    assert (once["at"], once["ip"]) == (used_at.strftime("%Y-%m-%dT%H:%M:%SZ"), "203.0.113.9")
    assert [happened["kind"] for happened in found["happened"]] == ["dispute-recorded", "units-bought"]


def test_leaves_out_uses_of_other_purchases(world: World) -> None:
    person, _ = bought(world)
    payment = world.at_stripe("payment_intent")[0]["id"]
    use(person, "mentorship-service", 10)
    assert person.buy(how_many=2).status == 201
    use(person, "mentorship-service", 2)
    world.control(f"/_control/dispute/{payment}", {"outcome": "lost"})
    world.settle()
    (made,) = world.at_stripe("dispute")
    found = world.person(operator=True).get(f"/ops/disputes/{made['id']}/evidence").json
    assert sum(once["units"] for once in found["uses"]) == 10


def evidence_of(world: World, invoice_id: int) -> Any:
    """What there is once the payment of an invoice is disputed."""
    named = [one for one in world.at_stripe("payment_intent") if one["metadata"]["invoice_id"] == str(invoice_id)]
    world.control(f"/_control/dispute/{named[0]['id']}", {"outcome": "open"})
    world.settle()
    made = world.at_stripe("dispute")[-1]
    answer = world.person(operator=True).get(f"/ops/disputes/{made['id']}/evidence")
    assert answer.status == 200, answer.text
    return answer.json


def test_has_uses_of_what_the_plan_granted_once_after_a_renewal(world: World) -> None:
    """Unlimited units are of the first payment by their lot, and of the one that paid for the period by their use."""
    person = subscribed(world)
    use(person, "all-courses")
    until(world, month(1))
    use(person, "all-courses", 2)
    use(person, "ai-chat")
    _, second = holding(person).invoice_ids
    found = evidence_of(world, second)
    assert sorted(once["service"] for once in found["uses"]) == ["ai-chat", "all-courses", "all-courses"]


def test_has_what_a_team_used_of_its_plan(world: World) -> None:
    owner, member, stranger = an_owner(world), world.person(), subscribed(world)
    seated(owner, member)
    use(owner, "mentorship-service")
    use(member, "mentorship-service")
    use(member, "ai-chat")
    use(stranger, "ai-chat")
    found = evidence_of(world, holding(owner).id)
    assert [(once["user"], once["service"]) for once in found["uses"]] == [
        (member.user_id, "ai-chat"),
        (member.user_id, "mentorship-service"),
        (owner.user_id, "mentorship-service"),
    ]


def test_is_for_operators_and_for_disputes_that_there_are(world: World) -> None:
    person, _ = bought(world)
    operator = world.person(operator=True)
    for ident in ("du_nothing", "../x", "du_" + "x" * 190):
        assert operator.get(f"/ops/disputes/{ident.replace('/', '%2F')}/evidence").status == 404
    assert person.get("/ops/disputes/du_nothing/evidence").status == 403
