"""Staff make students: the ones with an account at once, the others by invitation (document 3, facts section 16)."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest

from chalicelib.books.catalog.model import Plan, PlanStatus
from chalicelib.books.catalog.store import plan_key
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity import store as identity_store
from chalicelib.books.identity.model import Academy, NewAcademy
from chalicelib.books.outbox.port import MailRefused
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.writes import Put, anyway, commit, never
from chalicelib.flows.enrollment.enroll import ENTRIES_MAX
from tests.enrolling import (
    EMAIL,
    HALL,
    INVITES,
    LATER,
    SAAS,
    STUDENT,
    a_student,
    accept,
    change,
    invited,
    login,
    open_cohorts,
    secret_of,
    secrets_of,
)
from tests.shop import BASIC, FREE, a_plan, put
from tests.staffing import Clerk, audited, clerk, clerk_elsewhere, everything, refused
from tests.world import World


@pytest.fixture
def staff(world: World) -> Clerk:
    open_cohorts(world)
    return clerk(world)


class TestInviting:
    def test_is_answered_with_what_was_sent_and_mailed(self, staff: Clerk, world: World) -> None:
        answer = staff.post(STUDENT, a_student(plans=[BASIC], phone="+1 555", address="1 Elm Street"))
        assert answer.status == 201
        invite = answer.json["invite"]
        assert answer.json == {
            "academy": {"id": world.academy_id, "name": "4Geeks Academy", "slug": "4geeks"},
            "role": "student",
            "status": "INVITED",
            "user": None,
            "email": EMAIL,
            "first_name": "Kay",
            "last_name": "McNulty",
            "phone": "+1 555",
            "address": "1 Elm Street",
            "cohorts": [SAAS],
            "plans": [BASIC],
            "invite": invite,
        }
        assert (invite["created_at"], invite["expires_at"]) == ("2026-11-21T12:00:00Z", "2027-05-21T12:00:00Z")
        world.work()
        ((mail, _),) = world.mailer.sent
        assert (mail.to, mail.subject) == (EMAIL, "4Geeks Academy invites you")
        link = f"http://127.0.0.1:8000/invite/{secret_of(world)}"
        assert link in mail.text and f"<a href='{link}'>" in mail.html

    def test_keeps_the_secret_nowhere_once_it_is_mailed(self, staff: Clerk, world: World) -> None:
        staff.post(STUDENT, a_student())
        rows = str(everything(world))
        world.work()
        secret = secret_of(world)
        assert rows.count(secret) == 3  # in the text and twice in the HTML of the mail that waits
        assert secret not in str(everything(world))

    def test_by_a_mail_that_is_given_up_keeps_no_secret_either(self, staff: Clerk, world: World) -> None:
        staff.post(STUDENT, a_student())
        world.mailer.failures = [MailRefused("no")]
        world.work()
        assert not world.mailer.sent
        assert "/invite/" not in str(everything(world))

    def test_needs_no_cohort_and_no_plan(self, staff: Clerk, world: World) -> None:
        secret = invited(staff, cohort=[])
        assert accept(world, secret).status == 200

    def test_is_audited(self, staff: Clerk, world: World) -> None:
        invite = staff.post(STUDENT, a_student()).json["invite"]
        staff.post(f"{INVITES}/{invite['id']}/resend")
        staff.delete(f"{INVITES}/{invite['id']}")
        last, second, first = audited(world, f"invitation:{invite['id']}")
        assert {change[0] for change in (first, second, last)} == {f"user:{staff.person.user_id}"}
        assert first[1] is None and first[2]["email"] == EMAIL
        assert (second[1]["mails"], second[2]["mails"]) == (1, 2)
        assert (last[1]["status"], last[2]["status"]) == ("OPEN", "TAKEN_BACK")


REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"invite": False}, "user-not-found"),
    ({"invite": False, "plans": [BASIC]}, "user-not-found"),
    ({"email": None}, "no-email-or-id"),
    ({"email": None, "user": 987}, "user-not-found"),
    ({"user": 987}, "user-not-found"),
    ({"email": "nobody"}, "invalid-email"),
    ({"email": 7}, "invalid-email"),
    ({"first_name": " "}, "first-name-required"),
    ({"first_name": "a\nb"}, "invalid-name"),
    ({"cohort": [SAAS, 999]}, "cohort-not-found"),
    ({"cohort": [SAAS, SAAS]}, "named-twice"),
    ({"plans": [999]}, "plan-not-found"),
    ({"plans": [BASIC, BASIC]}, "named-twice"),
    ({"plans": [BASIC], "cohort": [SAAS, HALL]}, "cohort-not-available-as-saas"),
    ({"plans": [BASIC], "cohort": [LATER]}, "plan-cohort-mismatch"),
    ({"plans": [BASIC], "cohort": []}, "plan-cohort-mismatch"),
    ({"plans": ["basic"]}, "invalid-request"),
    ({"invite": "yes"}, "invalid-request"),
    ({"plans": list(range(1, 12))}, "invalid-request"),
    ({"phone": "5" * 41}, "invalid-request"),
]


class TestARefusal:
    @pytest.mark.parametrize(("changes", "slug"), REFUSALS)
    def test_says_why_and_changes_nothing(self, staff: Clerk, world: World, changes: Any, slug: str) -> None:
        before = everything(world)
        refused(staff.post(STUDENT, a_student(**changes)), 400, slug)
        assert everything(world) == before

    @pytest.mark.parametrize(("changes", "slug"), REFUSALS)
    def test_says_of_which_entry_and_does_nothing_of_the_list(
        self, staff: Clerk, world: World, changes: Any, slug: str
    ) -> None:
        before = everything(world)
        answer = staff.post(STUDENT, [a_student(email="first@example.org"), a_student(**changes)])
        refused(answer, 400, slug)
        fields = [problem["field"] for problem in answer.json.get("errors", ())]
        assert "Entry 1:" in answer.json["detail"] or (fields and all(field.startswith("1.") for field in fields))
        assert everything(world) == before

    @pytest.mark.parametrize("status", [PlanStatus.DRAFT, PlanStatus.DELETED, PlanStatus.DISCONTINUED])
    def test_is_for_a_plan_that_is_not_for_sale(self, staff: Clerk, world: World, status: PlanStatus) -> None:
        change(world, Plan, plan_key(world.academy_id, BASIC), status=status)
        refused(staff.post(STUDENT, a_student(plans=[BASIC])), 400, "plan-not-available")

    def test_is_for_a_plan_without_a_currency_for_its_invoice(self, staff: Clerk, world: World) -> None:
        row = world.table.get(identity_store.academy_key(world.academy_id))
        assert row is not None
        academy = load(Academy, row).model_copy(update={"main_currency": None})
        values = {**row.values, "doc": academy.model_dump_json()}
        commit(world.table, [Put(key=row.key, values=values, condition=anyway, refused=never("free"))])
        refused(staff.post(STUDENT, a_student(plans=[BASIC])), 400, "academy-main-currency-required")
        assert staff.post(STUDENT, a_student()).status == 201

    def test_is_for_a_plan_with_more_than_can_be_given_at_once(self, staff: Clerk, world: World) -> None:
        items = [{"link_id": n, "item_id": 1, "service_id": 93} for n in range(41)]
        put(world.table, a_plan(world.now, world.academy_id, id=8001, slug="large", items=items, cohort_set_id=None))
        refused(staff.post(STUDENT, a_student(plans=[8001])), 400, "plan-too-large")

    def test_is_not_for_a_plan_without_a_cohort_set(self, staff: Clerk, world: World) -> None:
        put(world.table, a_plan(world.now, world.academy_id, id=8002, slug="open", cohort_set_id=None))
        assert staff.post(STUDENT, a_student(plans=[8002], cohort=[])).status == 201


class TestOneOpenInvitation:
    def test_for_each_academy_and_email(self, staff: Clerk, world: World) -> None:
        assert staff.post(STUDENT, a_student()).status == 201
        for email in (EMAIL, EMAIL.upper()):
            refused(staff.post(STUDENT, a_student(email=email)), 400, "already-invited")
        assert clerk_elsewhere(world).post(STUDENT, a_student(cohort=[])).status == 201

    def test_in_one_list_too(self, staff: Clerk, world: World) -> None:
        before = everything(world)
        answer = staff.post(STUDENT, [a_student(), a_student(email=EMAIL.title())])
        refused(answer, 400, "already-invited")
        assert "Entry 1:" in answer.json["detail"]
        assert everything(world) == before

    def test_makes_way_when_it_has_expired(self, staff: Clerk, world: World) -> None:
        first = invited(staff)
        world.advance(days=180)
        refused(staff.post(STUDENT, a_student()), 400, "already-invited")
        world.advance(days=1)
        second = invited(staff)
        refused(accept(world, first), 410, "invitation-expired")
        assert accept(world, second).status == 200

    def test_makes_way_when_it_is_taken_back(self, staff: Clerk, world: World) -> None:
        first = staff.post(STUDENT, a_student()).json["invite"]["id"]
        world.work()
        secret = secret_of(world)
        assert staff.delete(f"{INVITES}/{first}").status == 204
        refused(accept(world, secret), 410, "invitation-expired")
        refused(staff.delete(f"{INVITES}/{first}"), 404, "invitation-not-found")
        assert accept(world, invited(staff)).status == 200


class TestAList:
    def test_is_answered_by_a_list(self, staff: Clerk, world: World) -> None:
        ada = world.person()
        sent = [a_student(plans=[FREE]), {"email": ada.email}, a_student(email="jean@example.org")]
        answer = staff.post(STUDENT, sent)
        assert answer.status == 201
        assert [(one["status"], one["email"]) for one in answer.json] == [
            ("INVITED", EMAIL),
            ("ACTIVE", ada.email),
            ("INVITED", "jean@example.org"),
        ]
        world.work()
        assert {mail.to for mail, _ in world.mailer.sent} == {EMAIL, ada.email, "jean@example.org"}

    def test_of_one_is_a_list(self, staff: Clerk) -> None:
        assert len(staff.post(STUDENT, [a_student()]).json) == 1

    def test_has_a_limit(self, staff: Clerk, world: World) -> None:
        many = [a_student(email=f"s{number}@example.org") for number in range(ENTRIES_MAX)]
        before = everything(world)
        refused(staff.post(STUDENT, [*many, a_student()]), 400, "invalid-request")
        refused(staff.post(STUDENT, []), 400, "invalid-request")
        assert everything(world) == before
        assert staff.post(STUDENT, many).status == 201
        assert len(staff.get(f"{INVITES}?limit=100").json) == ENTRIES_MAX

    def test_names_one_academy(self, staff: Clerk) -> None:
        refused(staff.post(STUDENT, [a_student(), a_student(academy=999)]), 400, "academy-mismatch")


class TestSomebodyWithAnAccount:
    def test_is_a_student_at_once_and_told(self, staff: Clerk, world: World) -> None:
        ada = world.person()
        answer = staff.post(STUDENT, {"user": ada.user_id, "cohort": [HALL]})
        assert (answer.status, answer.json["status"], answer.json["user"]) == (201, "ACTIVE", ada.user_id)
        assert (answer.json["email"], answer.json["first_name"], answer.json["invite"]) == (None, "", None)
        world.work()
        ((mail, _),) = world.mailer.sent
        assert (mail.to, mail.subject) == (ada.email, "You are a student of 4Geeks Academy")
        assert audited(world, f"student:{ada.user_id}")[0][2]["cohort_ids"] == [HALL]

    def test_is_one_once(self, staff: Clerk, world: World) -> None:
        ada = world.person()
        assert staff.post(STUDENT, {"email": ada.email, "invite": True}).status == 201
        refused(staff.post(STUDENT, {"email": ada.email}), 400, "already-exists-with-this-email")
        refused(staff.post(STUDENT, {"user": ada.user_id}), 400, "already-exists")
        elsewhere = clerk_elsewhere(world)
        refused(
            elsewhere.post(STUDENT, [{"user": ada.user_id}, {"email": ada.email}]),
            400,
            "already-exists-with-this-email",
        )
        assert elsewhere.post(STUDENT, {"user": ada.user_id}).status == 201

    def test_is_given_no_plans(self, staff: Clerk, world: World) -> None:
        ada = world.person()
        for named in ({"email": ada.email}, {"user": ada.user_id}):
            body = a_student(plans=[BASIC]) | {"email": None} | named
            refused(staff.post(STUDENT, body), 400, "cannot-add-plans-to-existing-user")

    def test_is_meant_by_an_email_and_an_id_only_where_both_are_theirs(self, staff: Clerk, world: World) -> None:
        ada, bob = world.person(), world.person()
        refused(staff.post(STUDENT, {"user": ada.user_id, "email": bob.email}), 400, "user-not-found")
        assert staff.post(STUDENT, {"user": ada.user_id, "email": ada.email}).status == 201

    def test_who_accepted_an_invitation_is_a_student(self, staff: Clerk, world: World) -> None:
        assert accept(world, invited(staff)).status == 200
        refused(staff.post(STUDENT, a_student()), 400, "already-exists-with-this-email")


class TestTheListOfInvitations:
    def test_has_the_open_ones_newest_first(self, staff: Clerk, world: World) -> None:
        old = staff.post(STUDENT, a_student(email="old@example.org")).json["invite"]["id"]
        world.advance(days=100)
        ids = []
        for name in ("a", "b", "c"):
            ids.append(staff.post(STUDENT, a_student(email=f"{name}@example.org")).json["invite"]["id"])
            world.advance(seconds=1)
        assert [one["id"] for one in staff.get(INVITES).json] == [*reversed(ids), old]
        world.advance(days=90)
        world.work()
        staff.delete(f"{INVITES}/{ids[0]}")
        assert accept(world, secret_of(world, "b@example.org")).status == 200
        (left,) = staff.get(INVITES).json
        assert (left["id"], left["email"], left["invited_by"]) == (
            ids[2],
            "c@example.org",
            f"user:{staff.person.user_id}",
        )

    def test_is_paged(self, staff: Clerk, world: World) -> None:
        for name in ("a", "b", "c"):
            staff.post(STUDENT, a_student(email=f"{name}@example.org"))
        page = staff.get(f"{INVITES}?limit=2")
        link = page.headers["Link"]
        assert [len(page.json), len(staff.get(link[1 : link.index(">")]).json)] == [2, 1]


class TestSendingAgain:
    def test_ends_the_link_before_and_begins_six_months_anew(self, staff: Clerk, world: World) -> None:
        first = invited(staff)
        (listed,) = staff.get(INVITES).json
        world.advance(days=30)
        answer = staff.post(f"{INVITES}/{listed['id']}/resend")
        assert (answer.status, answer.json["expires_at"]) == (200, "2027-06-21T12:00:00Z")
        world.work()
        again = secrets_of(world)
        assert len(again) == 2 and again[0] == first and again[1] != first
        refused(accept(world, first), 404, "invitation-not-found")
        world.advance(days=170)  # past the end of the first
        refused(staff.post(STUDENT, a_student()), 400, "already-invited")
        assert accept(world, again[1]).status == 200

    def test_is_for_open_ones(self, staff: Clerk, world: World) -> None:
        secret = invited(staff)
        (listed,) = staff.get(INVITES).json
        world.advance(days=200)
        refused(staff.post(f"{INVITES}/{listed['id']}/resend"), 404, "invitation-not-found")
        refused(staff.post(f"{INVITES}/12345/resend"), 404, "invitation-not-found")
        refused(accept(world, secret), 410, "invitation-expired")


class TestTenants:
    def test_never_meet(self, staff: Clerk, world: World) -> None:
        invite = staff.post(STUDENT, a_student()).json["invite"]["id"]
        other = clerk_elsewhere(world)
        before = everything(world)
        assert other.get(INVITES).json == []
        refused(other.delete(f"{INVITES}/{invite}"), 404, "invitation-not-found")
        refused(other.post(f"{INVITES}/{invite}/resend"), 404, "invitation-not-found")
        refused(other.post(STUDENT, a_student()), 400, "cohort-not-found")
        refused(other.post(STUDENT, a_student(cohort=[], plans=[BASIC])), 400, "plan-not-found")
        assert everything(world) == before

    def test_need_the_capability(self, staff: Clerk, world: World) -> None:
        reader = clerk(world, "read_subscription", "crud_subscription", "crud_plan")
        for method, path in (("GET", INVITES), ("POST", STUDENT), ("DELETE", f"{INVITES}/1")):
            refused(reader.call(method, path, a_student()), 403, "permission-denied")

    def test_learn_nothing_that_only_an_account_says(self, staff: Clerk, world: World) -> None:
        stranger = world.person()
        answer = clerk_elsewhere(world).post(STUDENT, {"user": stranger.user_id})
        assert stranger.email not in answer.text and "Lovelace" not in answer.text


class TestTwoAtOnce:
    def test_make_one_invitation(self, staff: Clerk, world: World) -> None:
        """The second has read all that it reads before the first is written."""
        raced = list[bool]()

        def commit_late(table: Any, writes: Any) -> None:
            if not raced:
                raced.append(True)
                assert staff.post(STUDENT, a_student()).status == 201
            commit(table, writes)

        with patch("chalicelib.flows.enrollment.enroll.commit", commit_late):
            refused(staff.post(STUDENT, a_student()), 400, "already-invited")
        assert raced and len(staff.get(INVITES).json) == 1


def test_a_new_academy_may_invite_without_a_catalog(world: World) -> None:
    academy = identity.create_academy(world.table, NewAcademy(name="New", slug="new"), now=world.now)
    staff = clerk(world, academy_id=academy.id)
    assert accept(world, invited(staff, cohort=[])).status == 200
    assert login(world).status == 200
