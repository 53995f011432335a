"""Enroll: make people students of an academy, all of a list or none of it.

Whoever has an account is a student at once and is told so. Whoever has none is invited, with plans or without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from chalicelib.books.catalog import queries as catalog
from chalicelib.books.enrollment import store
from chalicelib.books.enrollment.model import INVITATION_LIVES, Invitation, Student
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.credentials import email_digest, secret_digest
from chalicelib.books.identity.model import Academy, User
from chalicelib.books.identity.store import UserNotFound
from chalicelib.books.outbox import store as outbox
from chalicelib.books.outbox.model import Message
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Write, commit
from chalicelib.flows.catalog.edit import Staff, audited
from chalicelib.flows.context import Context
from chalicelib.flows.enrollment.link import address_of, new_link_secret
from chalicelib.flows.enrollment.notices import added, invited
from chalicelib.flows.enrollment.promise import check_cohorts, check_named, check_plans
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.ids import new_id
from chalicelib.kernel.periods import after

ENTRIES_MAX = 25
"""Four writes for each at most, and all of them in one transaction of a hundred."""
PLANS_MAX = 10
COHORTS_MAX = 20


class NoEmailOrId(DomainError):
    slug = "no-email-or-id"
    detail = "Entry {entry}: give an e-mail, or the id of a user."


class NobodyFound(DomainError):
    slug = "user-not-found"
    detail = "Entry {entry}: there is no such user. Somebody new is invited with an e-mail and `invite: true`."


class FirstNameRequired(DomainError):
    slug = "first-name-required"
    detail = "Entry {entry}: an invitation needs the first name of whoever is invited."


class PlansForExistingUser(DomainError):
    slug = "cannot-add-plans-to-existing-user"
    detail = "Entry {entry}: plans can be given to new people only. Whoever has an account buys them."


class AlreadyStudent(DomainError):
    slug = "already-exists"
    detail = "Entry {entry}: the user is a student of the academy already."


class AlreadyStudentByEmail(DomainError):
    slug = "already-exists-with-this-email"
    detail = "Entry {entry}: somebody with this e-mail is a student of the academy already."


class AlreadyInvited(DomainError):
    slug = "already-invited"
    detail = "Entry {entry}: somebody with this e-mail is invited already. Send that invitation again, or take it back."


@dataclass(frozen=True, slots=True, kw_only=True)
class Enroll:
    """Who is to be a student. `entry` is its place in what was sent, for refusals; the e-mail is a checked one."""

    entry: int
    email: str | None = None
    user_id: int | None = None
    first_name: str = ""
    last_name: str = ""
    phone: str | None = None
    address: str | None = None
    invite: bool = False
    cohort_ids: tuple[int, ...] = ()
    plan_ids: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of an entry: a student, or an invitation."""

    command: Enroll
    result: Student | Invitation
    message: Message
    writes: tuple[Write, ...]


def enroll(context: Context, staff: Staff, commands: Sequence[Enroll], *, front_end: str) -> list[Enrolled]:
    """Do all of it in one transaction. `front_end` is where the links of invitations lead.

    Raises NoEmailOrId, NobodyFound, FirstNameRequired, PlansForExistingUser, AlreadyStudent, AlreadyStudentByEmail,
    AlreadyInvited, and what `promise` refuses.
    """
    academy = identity.academy(context.table, staff.academy_id)
    first = new_id(context.now, context.random_bits)
    done = []
    named: set[Key] = set()
    for number, command in enumerate(commands):
        one = _enrolled(context, staff, academy, command, ident=first + number, front_end=front_end)
        if one.writes[0].key in named:
            raise one.writes[0].refused(None)  # the table would not tell two of one list apart
        named.add(one.writes[0].key)
        done.append(one)
    commit(context.table, [write for one in done for write in one.writes])
    for one in done:
        context.queue.nudge_outbox(one.message.id)
    return done


def _enrolled(
    context: Context, staff: Staff, academy: Academy, command: Enroll, *, ident: int, front_end: str
) -> Enrolled:
    """What is written for an entry. Ids follow each other, so that those of one list never meet."""
    entry = command.entry
    user = _user_of(context, command)
    if user is None and not command.invite:
        raise NobodyFound(entry=entry)
    if user is not None and command.plan_ids:
        raise PlansForExistingUser(entry=entry)
    check_named(entry, command.cohort_ids, command.plan_ids)
    cohorts = list(catalog.cohorts(context.table, academy.id, command.cohort_ids).values())
    check_cohorts(entry, command.cohort_ids, cohorts)
    if user is not None:
        return _added(context, staff, academy, command, user, ident=ident)
    plans = list(catalog.plans_of(context.table, academy.id, command.plan_ids, now=context.now).values())
    offers = catalog.offers(context.table, plans)
    check_plans(entry, command.plan_ids, offers, cohorts, currency=academy.main_currency)
    return _invited(context, staff, academy, command, ident=ident, front_end=front_end)


def _user_of(context: Context, command: Enroll) -> User | None:
    """The person that is meant, None for somebody new. An id and an e-mail must be of one person."""
    if command.user_id is not None:
        try:
            user = identity.user(context.table, command.user_id)
        except UserNotFound as error:
            raise NobodyFound(entry=command.entry) from error
        if command.email is not None and email_digest(command.email) != email_digest(user.email):
            raise NobodyFound(entry=command.entry)
        return user
    if command.email is None:
        raise NoEmailOrId(entry=command.entry)
    return identity.user_by_email(context.table, command.email)


def _added(context: Context, staff: Staff, academy: Academy, command: Enroll, user: User, *, ident: int) -> Enrolled:
    entry = command.entry
    student = Student(
        academy_id=academy.id,
        user_id=user.id,
        cohort_ids=command.cohort_ids,
        phone=command.phone,
        address=command.address,
        added_by=staff.by,
        created_at=context.now,
    )
    message = added(user, academy, context.now)
    taken = AlreadyStudent if command.email is None else AlreadyStudentByEmail
    writes = (
        store.new_student(student, refused=lambda old: taken(entry=entry)),
        outbox.new(message),
        audited(context, staff, f"student:{user.id}", None, student, ident=ident),
    )
    return Enrolled(command, student, message, writes)


def _invited(
    context: Context, staff: Staff, academy: Academy, command: Enroll, *, ident: int, front_end: str
) -> Enrolled:
    entry, email = command.entry, command.email
    if email is None:
        raise NoEmailOrId(entry=entry)
    if not command.first_name:
        raise FirstNameRequired(entry=entry)
    invitation = Invitation(
        id=ident,
        academy_id=academy.id,
        email=email,
        first_name=command.first_name,
        last_name=command.last_name,
        phone=command.phone,
        address=command.address,
        cohort_ids=command.cohort_ids,
        plan_ids=command.plan_ids,
        currency=academy.main_currency,
        invited_by=staff.by,
        created_at=context.now,
        expires_at=after(context.now, INVITATION_LIVES),
    )
    secret = new_link_secret(invitation)
    message = invited(invitation, academy, address_of(front_end, secret), context.now)
    digest = email_digest(email)
    writes = (
        store.claim_email(invitation, digest, now=context.now, refused=lambda old: AlreadyInvited(entry=entry)),
        store.new_invitation(invitation, digest=secret_digest(secret)),
        outbox.new(message),
        audited(context, staff, subject_of(invitation), None, invitation, ident=ident),
    )
    return Enrolled(command, invitation, message, writes)


def subject_of(invitation: Invitation) -> str:
    """What the audit calls an invitation."""
    return f"invitation:{invitation.id}"
