"""Students of an academy, and the invitations of those who have no account yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from chalicelib.books.enrollment import queries as enrollment
from chalicelib.books.enrollment.model import Invitation
from chalicelib.books.enrollment.queries import InvitationNotFound
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.credentials import EMAIL_CHARACTERS_MAX, InvalidEmail, checked_email
from chalicelib.books.identity.model import NAME_CHARACTERS_MAX, Academy, InvalidName, checked_name
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Instant, Output, route
from chalicelib.entrypoints._pages import filtered, link_headers, read_page
from chalicelib.entrypoints.academy.inputs import Ident
from chalicelib.entrypoints.academy.queries import ListQuery
from chalicelib.entrypoints.academy.schemas import AcademyOut, academy_out
from chalicelib.entrypoints.staff.inputs import StaffInput, staff_of
from chalicelib.flows.enrollment import enroll as journey
from chalicelib.flows.enrollment import promise
from chalicelib.flows.enrollment.enroll import COHORTS_MAX, ENTRIES_MAX, PLANS_MAX, Enroll, Enrolled, enroll
from chalicelib.flows.enrollment.tend import send_again, take_back

INVITES = "/v1/auth/academy/invite"
CAPABILITY = "crud_student"


def _email(text: str) -> str:
    try:
        return checked_email(text)
    except InvalidEmail as error:
        raise ValueError(error.sentence) from None


def _name(text: str) -> str:
    """A name, or nothing."""
    try:
        return checked_name(text) if text.strip() else ""
    except InvalidName as error:
        raise ValueError(error.sentence) from None


Email = Annotated[str, Field(min_length=1, max_length=EMAIL_CHARACTERS_MAX), AfterValidator(_email)]
Name = Annotated[str, Field(max_length=NAME_CHARACTERS_MAX), AfterValidator(_name)]


class StudentBody(StaffInput):
    """Who is to be a student: somebody with an account, by e-mail or id, or somebody new, who is invited.

    `plans` are given to new people only, once they have accepted; each needs one of the `cohort`s in its cohort set,
    where it has such a set.
    """

    slugs: ClassVar[Mapping[str, str]] = {
        "email": "invalid-email",
        "first_name": "invalid-name",
        "last_name": "invalid-name",
    }

    email: Email | None = None
    user: Ident | None = None
    first_name: Name = ""
    last_name: Name = ""
    phone: str | None = Field(default=None, max_length=40)
    address: str | None = Field(default=None, max_length=300)
    invite: bool = False
    cohort: list[Ident] = Field(default_factory=list, max_length=COHORTS_MAX)
    plans: list[Ident] = Field(default_factory=list, max_length=PLANS_MAX)


class InviteOut(Output):
    """An invitation that waits for an answer. Its link is in the mail only."""

    id: int
    email: str
    first_name: str
    last_name: str
    phone: str | None
    address: str | None
    cohorts: list[int]
    plans: list[int]
    invited_by: str
    created_at: Instant
    expires_at: Instant


class StudentOut(Output):
    """What was sent, and what became of it: ACTIVE with the `user`'s id, or INVITED with the invitation.

    Nothing that only the account says is told.
    """

    academy: AcademyOut
    role: str
    status: str
    user: int | None
    email: str | None
    first_name: str
    last_name: str
    phone: str | None
    address: str | None
    cohorts: list[int]
    plans: list[int]
    invite: InviteOut | None


@route(
    "POST",
    "/v1/auth/academy/student",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={201: StudentOut | list[StudentOut]},
    errors=(
        AcademyRequired,
        journey.NoEmailOrId,
        journey.NobodyFound,
        journey.FirstNameRequired,
        journey.PlansForExistingUser,
        journey.AlreadyStudent,
        journey.AlreadyStudentByEmail,
        journey.AlreadyInvited,
        promise.NamedTwice,
        promise.CohortNotFound,
        promise.PlanNotFound,
        promise.PlanNotAvailable,
        promise.MainCurrencyRequired,
        promise.CohortNotSaas,
        promise.PlanCohortMismatch,
        promise.PlanTooLarge,
    ),
    bodies_max=ENTRIES_MAX,
)
def add_students(call: Call, body: StudentBody | list[StudentBody]) -> Answer:
    """Make somebody a student, or several: whoever has no account is invited by mail.

    A list is done whole or not at all; a refusal says which entry of it is meant, the first being 0.
    """
    staff = staff_of(call, body)
    sent = body if isinstance(body, list) else [body]
    commands = [_command(entry, one) for entry, one in enumerate(sent)]
    settings = call.runtime.settings
    done = enroll(call.runtime.context(call.now), staff, commands, front_end=settings.invite_url)
    academy = identity.academy(call.runtime.table, staff.academy_id)
    answers = [_student_out(one, academy) for one in done]
    return Answer(201, answers if isinstance(body, list) else answers[0])


@route(
    "GET",
    INVITES,
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: list[InviteOut]},
    errors=(AcademyRequired,),
)
def list_invites(call: Call, query: ListQuery) -> Answer:
    """The academy's invitations that can still be accepted, newest first."""
    staff = staff_of(call)
    table = call.runtime.table
    page = read_page(
        filtered(
            lambda size, cursor: enrollment.open_invitations(table, staff.academy_id, limit=size, cursor=cursor),
            lambda invitation: invitation.is_open(call.now),
        ),
        limit=query.limit,
        offset=query.offset,
        cursor=query.cursor,
    )
    return Answer(200, [_invite_out(found) for found in page.items], link_headers(call, page.next_cursor))


@route(
    "DELETE",
    INVITES + "/{invite_id}",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={204: None},
    errors=(AcademyRequired, InvitationNotFound),
)
def end_invite(call: Call, invite_id: int) -> Answer:
    """Take an open invitation back: its link serves no more."""
    take_back(call.runtime.context(call.now), staff_of(call), invite_id)
    return Answer(204)


@route(
    "POST",
    INVITES + "/{invite_id}/resend",
    access=Access.STAFF,
    capability=CAPABILITY,
    answers={200: InviteOut},
    errors=(AcademyRequired, InvitationNotFound),
)
def resend_invite(call: Call, invite_id: int) -> Answer:
    """Mail an open invitation again, with a new link that is good for six months; the one before serves no more."""
    context = call.runtime.context(call.now)
    invitation = send_again(context, staff_of(call), invite_id, front_end=call.runtime.settings.invite_url)
    return Answer(200, _invite_out(invitation))


def _command(entry: int, body: StudentBody) -> Enroll:
    return Enroll(
        entry=entry,
        email=body.email,
        user_id=body.user,
        first_name=body.first_name,
        last_name=body.last_name,
        phone=body.phone,
        address=body.address,
        invite=body.invite,
        cohort_ids=tuple(body.cohort),
        plan_ids=tuple(body.plans),
    )


def _student_out(done: Enrolled, academy: Academy) -> StudentOut:
    command, result = done.command, done.result
    invitation = result if isinstance(result, Invitation) else None
    return StudentOut(
        academy=academy_out(academy),
        role="student",
        status="ACTIVE" if invitation is None else "INVITED",
        user=None if isinstance(result, Invitation) else result.user_id,
        email=command.email,
        first_name=command.first_name,
        last_name=command.last_name,
        phone=command.phone,
        address=command.address,
        cohorts=list(command.cohort_ids),
        plans=list(command.plan_ids),
        invite=None if invitation is None else _invite_out(invitation),
    )


def _invite_out(invitation: Invitation) -> InviteOut:
    return InviteOut(
        id=invitation.id,
        email=invitation.email,
        first_name=invitation.first_name,
        last_name=invitation.last_name,
        phone=invitation.phone,
        address=invitation.address,
        cohorts=list(invitation.cohort_ids),
        plans=list(invitation.plan_ids),
        invited_by=invitation.invited_by,
        created_at=invitation.created_at,
        expires_at=invitation.expires_at,
    )
