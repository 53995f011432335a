"""Whom of an academy's staff to tell when money is in dispute."""

from __future__ import annotations

from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.model import Person
from chalicelib.flows.context import Context
from chalicelib.kernel.pages import PageRequest

TOLD_MAX = 5
STAFF_READ_MAX = 50
CAPABILITY = "issue_refund"


def staff_to_tell(context: Context, academy_id: int) -> tuple[Person, ...]:
    """Those who may give money back, at most five."""
    members = identity.members(context.table, academy_id, PageRequest(limit=STAFF_READ_MAX)).items
    chosen = [member.user_id for member in members if CAPABILITY in member.capabilities][:TOLD_MAX]
    return tuple(identity.user(context.table, user_id).person for user_id in chosen)
