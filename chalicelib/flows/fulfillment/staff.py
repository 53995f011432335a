"""Whom of an academy's staff to tell when money is in dispute."""

from __future__ import annotations

from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.model import Person
from chalicelib.flows.context import Context
from chalicelib.kernel.pages import PageRequest

TOLD_MAX = 5
STAFF_PER_PAGE = 100
PAGES_READ_MAX = 20
CAPABILITY = "issue_refund"


def staff_to_tell(context: Context, academy_id: int) -> tuple[Person, ...]:
    """Those who may give money back, at most five; looked for among two thousand, since few of many staff may."""
    chosen: list[int] = []
    cursor: str | None = None
    for _ in range(PAGES_READ_MAX):
        page = identity.members(context.table, academy_id, PageRequest(limit=STAFF_PER_PAGE, cursor=cursor))
        chosen += [member.user_id for member in page.items if CAPABILITY in member.capabilities]
        cursor = page.next_cursor
        if cursor is None or len(chosen) >= TOLD_MAX:
            break
    return tuple(identity.user(context.table, user_id).person for user_id in chosen[:TOLD_MAX])
