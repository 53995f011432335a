"""Invitations and students, and what of the catalog they name. Every write and every query."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from chalicelib.books.catalog import store as catalog_store
from chalicelib.books.catalog.model import Cohort
from chalicelib.books.enrollment import queries, store
from chalicelib.books.enrollment.model import Invitation, InvitationStatus, Owed, Student
from chalicelib.dynamo.writes import Put, Unexpected
from tests.conformance.cases import Case, rows_of
from tests.conformance.queries import Asked, by_page
from tests.conformance.things import ACADEMY, NOW, USER
from tests.shop import a_plan

OTHER = ACADEMY + 1


class Taken(Exception):
    """What the caller says that a refusal means."""


def an_invitation(ident: int = 1, **changed: Any) -> Invitation:
    values = {
        "id": ident,
        "academy_id": ACADEMY,
        "email": "kay@example.org",
        "first_name": "Kay",
        "invited_by": "user:9",
        "created_at": NOW,
        "expires_at": NOW + timedelta(days=180),
    }
    return Invitation.model_validate(values | changed)


def owing(ident: int = 1, *, at: int = 0) -> Invitation:
    """Accepted so many minutes ago, and not delivered."""
    owed = (Owed(plan_id=5, invoice_id=100),)
    accepted_at = NOW - timedelta(minutes=at)
    return an_invitation(ident, status=InvitationStatus.ACCEPTED, user_id=USER, accepted_at=accepted_at, owed=owed)


def claim(ident: int = 1, **changed: Any) -> Put:
    return store.claim_email(an_invitation(ident, **changed), "kay", now=NOW, refused=lambda old: Taken())


def a_cohort(ident: int, academy_id: int = ACADEMY) -> Cohort:
    return Cohort(id=ident, academy_id=academy_id, slug=f"c{ident}", name="C")


NEW = store.new_invitation(an_invitation(), digest="d")
ACCEPTED = store.changed_invitation(owing(), digest="d", version=1)
STUDENT = store.new_student(
    Student(academy_id=ACADEMY, user_id=USER, added_by="user:9", created_at=NOW), refused=lambda old: Taken()
)
BACK = store.give_back_email(an_invitation(), "kay")
INVITATIONS = rows_of(
    NEW,
    store.new_invitation(an_invitation(2), digest="e"),
    store.new_invitation(an_invitation(3), digest="f"),
    store.new_invitation(an_invitation(4, status=InvitationStatus.TAKEN_BACK), digest="g"),
    store.new_invitation(an_invitation(5, academy_id=OTHER), digest="h"),
    store.new_invitation(owing(6, at=1), digest="i"),
    store.new_invitation(owing(7), digest="j"),
)
CATALOG = rows_of(
    *(catalog_store.new(a_cohort(ident)) for ident in (1, 2)),
    catalog_store.new(a_cohort(3, OTHER)),
    *(catalog_store.new(a_plan(NOW, ACADEMY, id=ident)) for ident in (1, 2)),
    catalog_store.new(a_plan(NOW, OTHER, id=3)),
)

CASES = (
    Case(of=store.new_invitation, name="the first", writes=[NEW]),
    Case(of=store.new_invitation, name="again", writes=[NEW], before=rows_of(NEW), refused=Unexpected),
    Case(of=store.changed_invitation, name="as it was read", writes=[ACCEPTED], before=rows_of(NEW)),
    Case(
        of=store.changed_invitation,
        name="changed since it was read",
        writes=[ACCEPTED],
        before=rows_of(ACCEPTED),
        refused=store.InvitationMoved,
    ),
    Case(of=store.changed_invitation, name="gone", writes=[ACCEPTED], refused=store.InvitationMoved),
    Case(of=store.claim_email, name="the first", writes=[claim()]),
    Case(of=store.claim_email, name="again by its own", writes=[claim()], before=rows_of(claim())),
    Case(of=store.claim_email, name="held by another", writes=[claim(2)], before=rows_of(claim()), refused=Taken),
    Case(
        of=store.claim_email,
        name="held by one that ends this second",
        writes=[claim(2)],
        before=rows_of(claim(expires_at=NOW)),
    ),
    Case(
        of=store.claim_email,
        name="held by one that ends in a second",
        writes=[claim(2)],
        before=rows_of(claim(expires_at=NOW + timedelta(seconds=1))),
        refused=Taken,
    ),
    Case(of=store.give_back_email, name="its own", writes=[BACK], before=rows_of(claim())),
    Case(of=store.give_back_email, name="where there is none", writes=[BACK]),
    Case(
        of=store.give_back_email,
        name="another's",
        writes=[BACK],
        before=rows_of(claim(2)),
        refused=store.InvitationMoved,
    ),
    Case(of=store.new_student, name="the first", writes=[STUDENT]),
    Case(of=store.new_student, name="again", writes=[STUDENT], before=rows_of(STUDENT), refused=Taken),
)

ASKED = (
    Asked(
        of=queries.invitation,
        name="by its id",
        rows=INVITATIONS,
        ask=lambda table: queries.invitation(table, ACADEMY, 2),
        answer=queries.StoredInvitation(an_invitation(2), 1, "e"),
    ),
    Asked(
        of=queries.invitation,
        name="another academy's",
        rows=INVITATIONS,
        ask=lambda table: queries.invitation(table, OTHER, 2),
        refused=queries.InvitationNotFound,
    ),
    Asked(
        of=queries.open_invitations,
        name="an academy's, newest first",
        rows=INVITATIONS,
        ask=lambda table: by_page(lambda cursor: queries.open_invitations(table, ACADEMY, limit=2, cursor=cursor)),
        answer=[[3, 2], [1]],
    ),
    Asked(
        of=queries.due_invitations,
        name="that owe something since a minute",
        rows=INVITATIONS,
        ask=lambda table: queries.due_invitations(table, NOW),
        answer=[store.invitation_key(ACADEMY, 6)],
    ),
)
