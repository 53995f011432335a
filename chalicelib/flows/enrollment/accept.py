"""Accept: an invitation becomes an account, a session and a student, and owes what it promised, in one transaction."""

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
from chalicelib.books.identity.credentials import email_digest
from chalicelib.books.identity.model import NewUser, User
from chalicelib.books.identity.store import IdTaken
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.teams.store import SeatMoved
from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write, backoff, commit, never
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


@dataclass(frozen=True, slots=True)
class Accepted:
    """The new account with its session; `key` is the invitation's, which may owe plans yet, and `seats` are those of
    the teams that it sits in, whose units have yet to come.
    """

    user: User
    expires_at: datetime
    key: Key
    seats: tuple[Key, ...]
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Who accepts: by the secret of the link, with the password that they choose, from which network address."""

    secret: str = field(repr=False)
    password: str = field(repr=False)
    source: str | None = None


def accept(context: Context, acceptance: Acceptance) -> Accepted:
    """Make the account. What is promised is claimed for it here, so that nothing else can come between.

    Raises InvitationNotFound, InvitationAlreadyAccepted, InvitationOver, InvalidPassword, TooManyLogins, PlanOutgrown,
    and EmailTaken where somebody with this e-mail has an account by now.
    """
    identity.count_source(context.table, acceptance.source, now=context.now)
    stored = invitation_of(context.table, acceptance.secret)
    identity.uncount_source(context.table, acceptance.source)
    for attempt in range(TRIES_MAX):
        _check_open(stored.invitation, context.now)
        try:
            return _accepted(context, stored, acceptance.password)
        except (store.InvitationMoved, IdTaken, SeatMoved):
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
    new = NewUser(
        email=invitation.email, first_name=invitation.first_name, last_name=invitation.last_name, password=password
    )
    admission = identity.admission(new, now=context.now)
    owed, promised = _promised(context, invitation, admission.user)
    seats, sitting = seated(context, invitation, admission.user)
    accepted = invitation.model_copy(
        update={
            "status": InvitationStatus.ACCEPTED,
            "user_id": admission.user.id,
            "accepted_at": context.now,
            "owed": owed,
        }
    )
    writes: list[Write] = [
        store.changed_invitation(accepted, digest=stored.digest, version=stored.version),
        store.give_back_email(invitation, email_digest(invitation.email)),
        *admission.writes,
        store.new_student(_student(accepted, admission.user), refused=never("a new person is no student yet")),
        *promised,
        *sitting,
        timeline.new(_activity(accepted, admission.user, context.now)),
    ]
    commit(context.table, writes)
    key = store.invitation_key(invitation.academy_id, invitation.id)
    return Accepted(admission.user, admission.expires_at, key, seats, admission.secret)


def _promised(context: Context, invitation: Invitation, user: User) -> tuple[tuple[Owed, ...], list[Write]]:
    """What is owed from now on: a bag for each plan with its content frozen, and the claim of the plan."""
    table, academy_id = context.table, invitation.academy_id
    plans = list(catalog.plans_of(table, academy_id, invitation.plan_ids, now=context.now).values())
    if len(plans) != len(invitation.plan_ids) or (plans and invitation.currency is None):
        raise Defect(f"what invitation {invitation.id} promises is not there")
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


def _student(accepted: Invitation, user: User) -> Student:
    return Student(
        academy_id=accepted.academy_id,
        user_id=user.id,
        cohort_ids=accepted.cohort_ids,
        phone=accepted.phone,
        address=accepted.address,
        added_by=accepted.invited_by,
        created_at=user.created_at,
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
