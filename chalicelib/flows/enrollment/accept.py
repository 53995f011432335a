"""Accept: an invitation becomes an account, a session and a student, and owes what it promised, in one transaction.

Whoever has an account by then, which another academy's invitation made, keeps it as it is: the link proves that the
mail is theirs, so that what it promises is given to their account; it sets no password and lets nobody in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.books.billing import store as billing
from chalicelib.books.billing.model import Bag, BagKind, Buyer
from chalicelib.books.catalog import queries as catalog
from chalicelib.books.enrollment import store
from chalicelib.books.enrollment.model import Invitation, InvitationStatus, Owed, Student
from chalicelib.books.enrollment.queries import StoredInvitation
from chalicelib.books.identity import operations as identity
from chalicelib.books.identity import queries as people
from chalicelib.books.identity.credentials import email_digest
from chalicelib.books.identity.model import NewUser, User
from chalicelib.books.identity.store import EmailTaken, IdTaken
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.teams.store import SeatMoved
from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write, backoff, commit
from chalicelib.flows.checkout.check import bag_token
from chalicelib.flows.context import Context
from chalicelib.flows.enrollment.link import invitation_of
from chalicelib.flows.enrollment.promise import gift
from chalicelib.flows.teams.sit import seated
from chalicelib.flows.waiting.room import given_writes
from chalicelib.kernel.errors import Defect, DomainError, Kind, TryLater
from chalicelib.kernel.ids import derived, new_id

TRIES_MAX = 5
PROMISE_KEPT = timedelta(days=3650)
"""How long a bag of what was promised stays: until it is delivered, however long that takes."""


class InvitationAlreadyAccepted(DomainError):
    kind = Kind.GONE
    slug = "invitation-already-accepted"
    detail = "The invitation was accepted already. Sign in with the password that was chosen then."


class InvitationOver(DomainError):
    kind = Kind.GONE
    slug = "invitation-expired"
    detail = "The invitation has expired or was taken back. Ask the academy for another one."


MOVED = (
    store.InvitationMoved,
    IdTaken,
    EmailTaken,
    SeatMoved,
    subscriptions.PlanAlreadyBought,
    subscriptions.PlanAlreadyFinanced,
)


@dataclass(frozen=True, slots=True)
class Session:
    expires_at: datetime
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The account, and its session where it is new; `key` is the invitation's, which may owe plans yet, and `seats` are
    those of the teams that it sits in, whose units have yet to come.
    """

    user: User
    key: Key
    seats: tuple[Key, ...]
    session: Session | None


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who accepts: by the secret of the link, with the password that they choose, from which network address."""

    secret: str = field(repr=False)
    password: str = field(repr=False)
    source: str | None = None


def accept(context: Context, acceptance: Acceptance) -> Accepted:
    """Make the account, or find it. What is promised is claimed for it here, so that nothing else can come between;
    a plan that an account has already is not given again.

    Raises InvitationNotFound, InvitationAlreadyAccepted, InvitationOver, InvalidPassword, TooManyLogins, PlanOutgrown.
    """
    identity.count_source(context.table, acceptance.source, now=context.now)
    stored = invitation_of(context.table, acceptance.secret)
    identity.uncount_source(context.table, acceptance.source)
    for attempt in range(TRIES_MAX):
        _check_open(stored.invitation, context.now)
        try:
            return _accepted(context, stored, acceptance.password)
        except MOVED:
            backoff.wait(attempt)
            stored = invitation_of(context.table, acceptance.secret)
    raise TryLater


def _check_open(invitation: Invitation, now: datetime) -> None:
    if invitation.status is InvitationStatus.ACCEPTED:
        raise InvitationAlreadyAccepted
    if not invitation.is_open(now):
        raise InvitationOver


def _accepted(context: Context, stored: StoredInvitation, password: str) -> Accepted:
    invitation = stored.invitation
    user, session, entering = _entering(context, invitation, password)
    owed, promised = _promised(context, invitation, user)
    seats, sitting = seated(context, invitation, user)
    accepted = invitation.model_copy(
        update={
            "status": InvitationStatus.ACCEPTED,
            "user_id": user.id,
            "accepted_at": context.now,
            "owed": owed,
        }
    )
    writes: list[Write] = [
        store.changed_invitation(accepted, digest=stored.digest, version=stored.version),
        store.give_back_email(invitation, email_digest(invitation.email)),
        *entering,
        *_enrolling(context, accepted, user),
        *promised,
        *sitting,
        timeline.new(_activity(accepted, user, context.now)),
    ]
    commit(context.table, writes)
    key = store.invitation_key(invitation.academy_id, invitation.id)
    return Accepted(user, key, seats, session)


def _entering(
    context: Context, invitation: Invitation, password: str
) -> tuple[User, Session | None, tuple[Write, ...]]:
    """Whoever has the e-mail; else somebody new, with their password and a session."""
    known = people.user_by_email(context.table, invitation.email)
    if known is not None:
        return known, None, ()
    new = NewUser(
        email=invitation.email, first_name=invitation.first_name, last_name=invitation.last_name, password=password
    )
    admission = identity.admission(new, now=context.now)
    return admission.user, Session(admission.expires_at, admission.secret), admission.writes


def _enrolling(context: Context, accepted: Invitation, user: User) -> list[Write]:
    """Nothing for whoever is a student of the academy already."""
    if context.table.get(store.student_key(accepted.academy_id, user.id)) is not None:
        return []
    student = _student(accepted, user, context.now)
    return [store.new_student(student, refused=lambda old: store.InvitationMoved())]


def _promised(context: Context, invitation: Invitation, user: User) -> tuple[tuple[Owed, ...], list[Write]]:
    """What is owed from now on: a bag for each plan with its content frozen, and the claim of the plan. A plan that
    somebody has claimed already is theirs otherwise.
    """
    table, academy_id = context.table, invitation.academy_id
    plans = list(catalog.plans_of(table, academy_id, invitation.plan_ids, now=context.now).values())
    if len(plans) != len(invitation.plan_ids) or (plans and invitation.currency is None):
        raise Defect(f"what invitation {invitation.id} promises is not there")
    claimed = context.table.get_many(subscriptions.plan_claim_key(user.id, plan.id) for plan in plans)
    plans = [plan for plan in plans if subscriptions.plan_claim_key(user.id, plan.id) not in claimed]
    first = new_id(context.now, context.random_bits)
    owed: list[Owed] = []
    writes: list[Write] = []
    for number, offer in enumerate(catalog.offers(table, plans)):
        ident, plan = first + number, offer.plan
        content = gift(offer, currency=str(invitation.currency))
        writes.append(
            billing.new_bag(_bag(context, user, academy_id, content.currency, ident), content.model_dump_json())
        )
        writes.append(subscriptions.claim_plan(user.id, plan.id, invoice_id=ident, financed=not plan.is_renewable))
        writes += given_writes(context, plan, user.id)
        owed.append(Owed(plan_id=plan.id, invoice_id=ident))
    return tuple(owed), writes


def _bag(context: Context, user: User, academy_id: int, currency: str, ident: int) -> Bag:
    return Bag(
        id=ident,
        token=bag_token(context, ident),
        kind=BagKind.INVITED,
        academy_id=academy_id,
        buyer=Buyer(user_id=user.id, email=user.email, first_name=user.first_name, last_name=user.last_name),
        currency=currency,
        country=None,
        created_at=context.now,
        expires_at=context.now + PROMISE_KEPT,
    )


def _student(accepted: Invitation, user: User, now: datetime) -> Student:
    return Student(
        academy_id=accepted.academy_id,
        user_id=user.id,
        cohort_ids=accepted.cohort_ids,
        phone=accepted.phone,
        address=accepted.address,
        added_by=accepted.invited_by,
        created_at=now,
        invitation_id=accepted.id,
    )


def _activity(accepted: Invitation, user: User, now: datetime) -> Activity:
    return Activity(
        id=derived("invitation-accepted", accepted.academy_id, accepted.id),
        user_id=user.id,
        academy_id=accepted.academy_id,
        kind="invitation-accepted",
        at=now,
        facts={"invitation": accepted.id},
    )
