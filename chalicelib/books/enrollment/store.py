"""Invitations, claims of e-mails and students as rows of their academy.

- `INVITATION#{id}`: the invitation; beside its document `digest`, the hash of its link's secret. Open ones are listed
  by `ref`, accepted ones that owe something stand in the due index, and all others expire
- `INVITED#{hash of the e-mail}`: which invitation is the open one
- `STUDENT#{user}`: a student
"""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.enrollment.model import DELIVERY_SWEEP_AFTER, KEPT_AFTER, Invitation, InvitationStatus, Student
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key, Value
from chalicelib.dynamo.writes import Delete, Put, Refused, absent, at_version, never
from chalicelib.kernel.ids import sortable

DUE = "invitation"


class InvitationMoved(Exception):
    """The invitation was changed by somebody else since it was read."""


def invitation_key(academy_id: int, invitation_id: int) -> Key:
    return Key(keys.academy(academy_id), keys.ordered("INVITATION", invitation_id))


def claim_key(academy_id: int, email_digest: str) -> Key:
    return Key(keys.academy(academy_id), f"INVITED#{email_digest}")


def student_key(academy_id: int, user_id: int) -> Key:
    return Key(keys.academy(academy_id), keys.ordered("STUDENT", user_id))


def open_ref(academy_id: int) -> str:
    return f"INVITATIONS#{academy_id}"


def new_invitation(invitation: Invitation, *, digest: str) -> Put:
    return Put(
        key=invitation_key(invitation.academy_id, invitation.id),
        values=_values(invitation, digest, version=1),
        condition=absent,
        refused=never(f"two invitations with the id {invitation.id}"),
    )


def changed_invitation(invitation: Invitation, *, digest: str, version: int) -> Put:
    """The invitation over the one read at `version`. Raises InvitationMoved."""
    return Put(
        key=invitation_key(invitation.academy_id, invitation.id),
        values=_values(invitation, digest, version=version + 1),
        condition=at_version(version) & Path("doc").exists(),
        refused=lambda old: InvitationMoved(),
    )


def claim_email(invitation: Invitation, email_digest: str, *, now: datetime, refused: Refused) -> Put:
    """Claim the e-mail for this invitation, where none has it that can still be accepted."""
    ends_at = int(invitation.expires_at.timestamp())
    return Put(
        key=claim_key(invitation.academy_id, email_digest),
        values={"id": invitation.id, "ends_at": ends_at, "ttl": ends_at + int(KEPT_AFTER.total_seconds())},
        condition=absent | (Path("id") == invitation.id) | (Path("ends_at") <= int(now.timestamp())),
        refused=refused,
    )


def give_back_email(invitation: Invitation, email_digest: str) -> Delete:
    """Raises InvitationMoved where another invitation has the e-mail by now."""
    return Delete(
        key=claim_key(invitation.academy_id, email_digest),
        condition=absent | (Path("id") == invitation.id),
        refused=lambda old: InvitationMoved(),
    )


def new_student(student: Student, *, refused: Refused) -> Put:
    """Put a student who is none yet."""
    return Put(
        key=student_key(student.academy_id, student.user_id),
        values={"doc": student.model_dump_json(), "version": 1},
        condition=absent,
        refused=refused,
    )


def _values(invitation: Invitation, digest: str, *, version: int) -> dict[str, Value]:
    values: dict[str, Value] = {"doc": invitation.model_dump_json(), "digest": digest, "version": version}
    if invitation.owed and invitation.accepted_at is not None:
        due_at = invitation.accepted_at + DELIVERY_SWEEP_AFTER
        return values | {"due_shard": keys.due_shard(DUE, str(invitation.id)), "due_at": int(due_at.timestamp())}
    values["ttl"] = int((invitation.expires_at + KEPT_AFTER).timestamp())
    if invitation.status is InvitationStatus.OPEN:
        values |= {"ref": open_ref(invitation.academy_id), "ref_sk": sortable(invitation.id)}
    return values
