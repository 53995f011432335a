"""The units of seats come and end on the calendar of what their owner pays, whatever becomes of it, each once."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import Period
from chalicelib.books.ledger import queries as ledger
from chalicelib.books.ledger.model import EntryKind, Holder
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.teams import queries, store
from chalicelib.dynamo.writes import commit as really_commit
from chalicelib.entrypoints import workers
from chalicelib.flows.teams import wake
from chalicelib.flows.teams.tend_seat import tend_seat
from tests.books import check_books
from tests.recurring import holding, live, run
from tests.shop import SEAT, a_plan, put
from tests.teams import CHAT, COURSES, MENTORING, an_owner, seated
from tests.world import Person, World, batch


@pytest.fixture
def owner(world: World) -> Person:
    return an_owner(world)


@pytest.fixture
def member(owner: Person, world: World) -> Person:
    found = world.person()
    seated(owner, found)
    return found


def use(person: Person, name: str, service: str = CHAT) -> None:
    answer = person.put(f"/v1/payments/me/service/{service}/consumptionsession/{name}")
    assert answer.status == 201, answer.text


def units(person: Person) -> tuple[int, int, int]:
    return person.units(CHAT), person.units(MENTORING), person.units(COURSES)


def grants(person: Person, slug: str = CHAT) -> int:
    """How often units of a service came to somebody."""
    found = ledger.entries(person.world.table, Holder.person(person.user_id), limit=100).items
    return sum(entry.kind is EntryKind.GRANT and entry.unit.service_slug == slug for entry in found)


class TestARenewal:
    def test_refills_each_seat_once(self, owner: Person, member: Person, world: World) -> None:
        use(member, "one")
        assert member.units(CHAT) == 4999
        live(world, 30)
        assert (units(member), grants(member), grants(member, COURSES)) == ((5000, 2, -1), 2, 1)
        live(world, 31)
        assert (units(member), grants(member), grants(member, COURSES)) == ((5000, 2, -1), 3, 1)
        check_books(world)

    def test_reaches_the_seats_where_every_nudge_is_lost(self, owner: Person, member: Person, world: World) -> None:
        world.advance(days=30)
        world.queue.lost = True
        workers.handle_holdings(batch([{"pk": k.pk, "sk": k.sk} for k in [subscriptions.holding_key(holding(owner))]]))
        world.queue.lost = False
        assert member.units(COURSES) == 0
        run(world)
        assert units(member) == (5000, 2, -1)

    def test_gives_a_seat_that_slept_through_it_the_latest_units_alone(
        self, owner: Person, member: Person, world: World
    ) -> None:
        with patch.object(workers, "tend_seat", lambda context, key: None):
            for _ in range(70):
                world.advance(days=1)
                for _ in range(3):
                    world.renew()
                    world.work()
        assert member.units(CHAT) == 0
        run(world)
        assert (units(member), grants(member)) == ((5000, 2, -1), 2)

    def test_may_tend_a_seat_twice_at_once(self, owner: Person, member: Person, world: World) -> None:
        (stored,) = queries.seats(world.table, holding(owner).id)
        key = store.seat_key(stored.seat.team_id, stored.seat.id)
        world.advance(days=30)
        context = world.runtime.context(world.now)
        workers.handle_holdings(batch([{"pk": k.pk, "sk": k.sk} for k in [subscriptions.holding_key(holding(owner))]]))
        raced: list[None] = []

        def late(table: Any, writes: Any) -> None:
            if not raced:
                raced.append(None)
                tend_seat(context, key)
            really_commit(table, writes)

        with patch("chalicelib.flows.teams.tend_seat.commit", late):
            tend_seat(context, key)
        assert (units(member), grants(member)) == ((5000, 2, -1), 2)
        run(world)
        check_books(world)

    def test_is_seen_by_a_seat_that_was_looked_at_just_before(
        self, owner: Person, member: Person, world: World
    ) -> None:
        (stored,) = queries.seats(world.table, holding(owner).id)
        key = store.seat_key(stored.seat.team_id, stored.seat.id)
        world.advance(days=30)
        really_commit(world.table, [store.wake_seat(key, world.now)])
        world.queue.lost = True
        renewed: list[None] = []

        def late(table: Any, writes: Any) -> None:
            if not renewed:
                renewed.append(None)
                workers.work_holding(world.runtime, subscriptions.holding_key(holding(owner)))
            really_commit(table, writes)
            raise KeyboardInterrupt  # the process dies once it has written something

        with patch("chalicelib.flows.teams.tend_seat.commit", late), pytest.raises(KeyboardInterrupt):
            tend_seat(world.runtime.context(world.now), key)
        world.queue.lost = False
        run(world)
        assert units(member) == (5000, 2, -1)


class TestAYear:
    def test_refills_a_seat_each_month_from_when_it_was_filled(self, world: World) -> None:
        plan = a_plan(
            world.now,
            world.academy_id,
            id=2001,
            slug="yearly",
            prices={Period.YEAR: 1000},
            seat_service_id=SEAT,
            seats_included=3,
        )
        put(world.table, plan)
        owner, member = an_owner(world, "yearly", chosen_period="YEAR"), world.person()
        live(world, 40)
        seated(owner, member)
        assert (units(member), grants(member)) == ((5000, 2, -1), 1)
        items = member.get("/v1/payments/me/service/consumable").json["voids"][0]["items"]
        assert [item["valid_until"] for item in items] == ["2027-01-21T12:00:00Z"]
        live(world, 55)
        assert (grants(member), grants(member, COURSES)) == (3, 1)

    def test_gives_what_came_due_during_a_dispute_once_it_is_won(self, world: World) -> None:
        plan = {"id": 2001, "slug": "yearly", "prices": {Period.YEAR: 1000}, "seat_service_id": SEAT}
        put(world.table, a_plan(world.now, world.academy_id, **plan, seats_included=3))
        owner, member = an_owner(world, "yearly", chosen_period="YEAR"), world.person()
        seated(owner, member)
        (intent,) = world.at_stripe("payment_intent")
        for outcome, given in (("open", 1), ("won", 2)):
            world.control(f"/_control/dispute/{intent['id']}", {"outcome": outcome})
            run(world)
            assert grants(member) == given
            live(world, 35)
        assert units(member) == (5000, 2, -1)


class TestTheEnd:
    def test_of_access_ends_the_units_of_seats(self, owner: Person, member: Person, world: World) -> None:
        owner.save_card("4000000000000341")
        live(world, 31)
        assert member.units(COURSES) == -1
        live(world, 10)
        assert units(member) == (0, 0, 0)
        owner.save_card()
        run(world)
        assert units(member) == (0, 0, 0)

    def test_comes_no_sooner_than_grace_does(self, owner: Person, member: Person, world: World) -> None:
        owner.save_card("4000000000000341")
        live(world, 33)
        assert (owner.units(COURSES), member.units(COURSES)) == (-1, -1)
        owner.save_card()
        run(world)
        assert units(member) == (5000, 2, -1)

    def test_by_a_full_refund_comes_at_once(self, owner: Person, member: Person, world: World) -> None:
        (intent,) = world.at_stripe("payment_intent")
        use(member, "one")
        world.control(f"/_control/refund/{intent['id']}", {})
        world.settle()
        run(world)
        assert units(member) == (0, 0, 0)

    def test_by_a_dispute_is_undone_when_it_is_won(self, owner: Person, member: Person, world: World) -> None:
        (intent,) = world.at_stripe("payment_intent")
        use(member, "one")
        for outcome, expected in (("open", (0, 0, 0)), ("won", (4999, 2, -1))):
            world.control(f"/_control/dispute/{intent['id']}", {"outcome": outcome})
            run(world)
            assert units(member) == expected
            world.advance(minutes=5)

    def test_by_a_dispute_is_undone_also_after_what_has_expired_was_cleared_away(
        self, owner: Person, member: Person, world: World
    ) -> None:
        (intent,) = world.at_stripe("payment_intent")
        world.control(f"/_control/dispute/{intent['id']}", {"outcome": "open"})
        run(world)
        for _ in range(12):
            world.advance(days=1)
            world.sweep()
        world.control(f"/_control/dispute/{intent['id']}", {"outcome": "won"})
        run(world)
        assert units(member) == units(owner) == (5000, 2, -1)


class TestTellingTheSeats:
    @pytest.fixture
    def crowd(self, world: World) -> tuple[Person, list[Person]]:
        owner = an_owner(world, checking={"team_seats": 31})
        people = [world.person() for _ in range(30)]
        seated(owner, *people[:15])
        seated(owner, *people[15:])
        return owner, people

    def test_goes_on_after_a_process_died(self, crowd: tuple[Person, list[Person]], world: World) -> None:
        owner, people = crowd
        world.advance(days=30)
        commits: list[int] = []

        def dying(table: Any, writes: Any) -> None:
            if len(writes) > 1 or commits:
                commits.append(len(writes))
            if len(commits) == 2:
                raise KeyboardInterrupt
            really_commit(table, writes)

        key = subscriptions.holding_key(holding(owner))
        with patch.object(wake, "commit", dying), pytest.raises(KeyboardInterrupt):
            workers.handle_holdings(batch([{"pk": key.pk, "sk": key.sk}]))
        assert commits == [25, 5]
        run(world)
        assert {units(person) for person in people} == {(5000, 2, -1)}
        assert {grants(person) for person in people} == {2}

    def test_is_done_with_where_nothing_changed(self, crowd: tuple[Person, list[Person]], world: World) -> None:
        assert world.renew() == {"holdings": 0}


def test_a_team_without_seats_is_never_woken(owner: Person, world: World) -> None:
    with patch("chalicelib.flows.recurring.tend.wake_seats", side_effect=AssertionError):
        live(world, 31)
    assert holding(owner).seats_told is None
