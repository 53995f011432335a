"""People, academies and staff: every condition refused at least once, and nothing left where it was."""

from __future__ import annotations

import pytest

from chalicelib.books.identity import operations, queries
from chalicelib.books.identity.model import (
    NewAcademy,
    NewUser,
    Position,
)
from chalicelib.books.identity.operations import (
    UserExists,
)
from chalicelib.books.identity.roles import CAPABILITIES, ROLES
from chalicelib.books.identity.store import (
    AcademyIdTaken,
    AcademyNotFound,
    AcademySlugTaken,
    EmailTaken,
    UserNotFound,
)
from chalicelib.dynamo.table import Table
from chalicelib.kernel.pages import PageRequest
from tests.identity_calls import NOW, PASSWORD, a_token, a_user, an_academy
from tests.moto_table import Lost, all_rows, answering

READER = Position(role="support_staff")

pytestmark = pytest.mark.usefixtures("no_pauses")


class TestCreateUser:
    def test_makes_one_who_is_found_by_id_and_by_email_in_any_case(self, table: Table) -> None:
        user = a_user(table, "Ada@Example.com")
        assert queries.user(table, user.id) == user
        assert queries.user_by_email(table, "aDA@eXAMPLE.com ") == user
        assert queries.user_by_email(table, "eve@example.com") is None
        assert user.email == "Ada@Example.com"

    @pytest.mark.parametrize("again", ["ada@example.com", "ADA@EXAMPLE.COM", "\uff41\uff44\uff41@example.com"])
    def test_is_refused_for_an_email_that_is_taken_and_leaves_nothing(self, table: Table, again: str) -> None:
        a_user(table)
        before = all_rows(table)
        with pytest.raises(EmailTaken):
            a_user(table, again)
        assert all_rows(table) == before

    def test_of_two_at_once_lets_the_table_decide_who_was_first(self, table: Table) -> None:
        """The second saw no such e-mail when it looked: its write is refused by the first one's claim."""
        assert queries.user_by_email(table, "ada@example.com") is None
        first = a_user(table)
        with pytest.raises(EmailTaken):
            a_user(table)
        assert queries.user_by_email(table, "ada@example.com") == first

    def test_makes_one_only_where_its_answer_was_lost(self, table: Table) -> None:
        with answering(table, Lost()):
            user = a_user(table)
        assert queries.user_by_email(table, user.email) == user
        assert len(all_rows(table)) == 2

    def test_takes_another_id_where_two_met(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        ids = iter([7, 7, 8])
        monkeypatch.setattr(operations, "new_id", lambda now: next(ids))
        first, second = a_user(table, "ada@example.com"), a_user(table, "eve@example.com")
        assert (first.id, second.id) == (7, 8)
        assert queries.user(table, 7) == first

    def test_keeps_no_password(self, table: Table) -> None:
        a_user(table, password=PASSWORD)
        a_token(table, a_user(table, "eve@example.com"))
        assert PASSWORD not in str(all_rows(table))


class TestUser:
    def test_that_there_is_not_is_not_found(self, table: Table) -> None:
        with pytest.raises(UserNotFound):
            queries.user(table, 1)
        with pytest.raises(UserNotFound):
            operations.set_password(table, 1, PASSWORD)


class TestCreateAcademy:
    def test_makes_one_that_is_found_by_id_and_by_slug(self, table: Table) -> None:
        new = NewAcademy(name="Downtown", slug="downtown", main_currency="usd")
        academy = operations.create_academy(table, new, now=NOW)
        assert queries.academy(table, academy.id) == academy
        assert queries.academy_by_slug(table, "downtown") == academy
        assert academy.main_currency == "USD"
        with pytest.raises(AcademyNotFound):
            queries.academy(table, 1)
        with pytest.raises(AcademyNotFound):
            queries.academy_by_slug(table, "uptown")

    def test_keeps_the_id_of_an_importer(self, table: Table) -> None:
        assert an_academy(table, ident=1).id == 1
        assert queries.academy_by_slug(table, "downtown").id == 1

    def test_is_refused_for_a_slug_that_is_taken_and_leaves_nothing(self, table: Table) -> None:
        an_academy(table, ident=1)
        before = all_rows(table)
        with pytest.raises(AcademySlugTaken):
            an_academy(table, ident=2)
        assert all_rows(table) == before

    def test_is_refused_for_an_id_that_is_taken_and_leaves_nothing(self, table: Table) -> None:
        an_academy(table, ident=1)
        before = all_rows(table)
        with pytest.raises(AcademyIdTaken):
            an_academy(table, "uptown", ident=1)
        assert all_rows(table) == before

    def test_takes_another_id_where_two_met(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        ids = iter([7, 7, 8])
        monkeypatch.setattr(operations, "new_id", lambda now: next(ids))
        assert [an_academy(table).id, an_academy(table, "uptown").id] == [7, 8]

    def test_makes_one_only_where_its_answer_was_lost(self, table: Table) -> None:
        with answering(table, Lost()):
            academy = an_academy(table)
        assert queries.academy_by_slug(table, "downtown") == academy

    def test_lists_them_newest_first_by_pages(self, table: Table) -> None:
        for number in (1, 2, 3):
            an_academy(table, f"academy-{number}", ident=number)
        first = queries.academies(table, PageRequest(limit=2))
        second = queries.academies(table, PageRequest(limit=2, cursor=first.next_cursor))
        assert [academy.id for academy in (*first.items, *second.items)] == [3, 2, 1]


class TestMembers:
    def test_may_do_what_role_and_names_say_in_that_academy_only(self, table: Table) -> None:
        user, here, there = a_user(table), an_academy(table), an_academy(table, "uptown")
        position = Position(role="support_staff", capabilities=("issue_refund",))
        made = operations.add_member(table, position, user_id=user.id, academy_id=here.id)
        found = queries.membership(table, user.id, here.id)
        assert found == made
        assert set(made.capabilities) == {"read_subscription", "read_invoice", "read_consumable", "issue_refund"}
        assert queries.membership(table, user.id, there.id) is None

    def test_get_what_their_role_gets_later(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        user, academy = a_user(table), an_academy(table)
        operations.add_member(table, READER, user_id=user.id, academy_id=academy.id)
        monkeypatch.setitem(ROLES, "support_staff", ("read_service",))
        found = queries.membership(table, user.id, academy.id)
        assert found is not None
        assert found.capabilities == ("read_service",)

    def test_are_changed_by_adding_them_again(self, table: Table) -> None:
        user, academy = a_user(table), an_academy(table)
        operations.add_member(table, Position(role="academy_admin"), user_id=user.id, academy_id=academy.id)
        operations.add_member(table, READER, user_id=user.id, academy_id=academy.id)
        found = queries.membership(table, user.id, academy.id)
        assert found is not None
        assert "crud_plan" not in found.capabilities

    def test_of_an_academy_or_a_user_that_there_is_not_are_refused(self, table: Table) -> None:
        user, academy = a_user(table), an_academy(table)
        before = all_rows(table)
        with pytest.raises(AcademyNotFound):
            operations.add_member(table, READER, user_id=user.id, academy_id=999)
        with pytest.raises(UserNotFound):
            operations.add_member(table, READER, user_id=999, academy_id=academy.id)
        assert all_rows(table) == before

    def test_that_left_may_do_nothing_and_leave_once(self, table: Table) -> None:
        user, academy = a_user(table), an_academy(table)
        operations.add_member(table, READER, user_id=user.id, academy_id=academy.id)
        operations.remove_member(table, user_id=user.id, academy_id=academy.id)
        assert queries.membership(table, user.id, academy.id) is None
        with pytest.raises(UserNotFound):
            operations.remove_member(table, user_id=user.id, academy_id=academy.id)

    def test_are_listed_for_their_academy_only(self, table: Table) -> None:
        here, there = an_academy(table, ident=1), an_academy(table, "uptown", ident=2)
        ada, eve = a_user(table), a_user(table, "eve@example.com")
        operations.add_member(table, READER, user_id=ada.id, academy_id=here.id)
        operations.add_member(table, READER, user_id=eve.id, academy_id=there.id)
        assert [member.user_id for member in queries.members(table, 1, PageRequest()).items] == [ada.id]


class TestHire:
    def test_makes_account_membership_and_token_together(self, table: Table) -> None:
        academy = an_academy(table)
        new = NewUser(email="ada@example.com", first_name="Ada")
        hired = operations.hire(table, new, READER, academy_id=academy.id, now=NOW)
        assert queries.user_by_email(table, "ada@example.com") == hired.user
        assert queries.membership(table, hired.user.id, academy.id) == hired.membership
        found = queries.credential_of(table, hired.secret, NOW)
        assert found is not None
        assert found.person == hired.user.person

    def test_of_somebody_who_has_an_account_leaves_it_as_it_is(self, table: Table) -> None:
        academy, user = an_academy(table), a_user(table)
        hired = operations.hire(
            table, NewUser(email="ADA@example.com", first_name="Eve"), READER, academy_id=academy.id, now=NOW
        )
        assert hired.user == user == queries.user(table, user.id)

    def test_never_changes_a_password(self, table: Table) -> None:
        academy, user = an_academy(table), a_user(table)
        before = all_rows(table)
        new = NewUser(email=user.email, first_name="Ada", password=PASSWORD)
        with pytest.raises(UserExists):
            operations.hire(table, new, READER, academy_id=academy.id, now=NOW)
        assert all_rows(table) == before

    def test_at_an_academy_that_there_is_not_leaves_nothing(self, table: Table) -> None:
        with pytest.raises(AcademyNotFound):
            operations.hire(table, NewUser(email="a@b.c", first_name="Ada"), READER, academy_id=1, now=NOW)
        assert all_rows(table) == []

    def test_while_somebody_takes_the_email_is_refused(self, table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
        academy = an_academy(table)
        a_user(table)
        monkeypatch.setattr(queries, "user_by_email", lambda table, email: None)  # it looked too early
        with pytest.raises(EmailTaken):
            operations.hire(
                table, NewUser(email="ada@example.com", first_name="Ada"), READER, academy_id=academy.id, now=NOW
            )


def test_an_admin_has_every_capability(table: Table) -> None:
    user, academy = a_user(table), an_academy(table)
    made = operations.add_member(table, Position(role="academy_admin"), user_id=user.id, academy_id=academy.id)
    assert made.capabilities == CAPABILITIES
