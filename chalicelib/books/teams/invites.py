"""How many people without an account a team may invite within a day, so that nobody mails strangers by it. Pure."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.teams.model import Team
from chalicelib.kernel.errors import DomainError, Kind

WINDOW_HOURS = 24
HOUR_SECONDS = 3600
INVITES_MIN = 20
INVITES_PER_SEAT = 2


class TooManyInvites(DomainError):
    kind = Kind.TOO_MANY
    slug = "too-many-invitations"
    detail = "The team may invite {limit} people without an account within 24 hours, and did. Try again later."

    def __init__(self, *, limit: int, wait_seconds: int) -> None:
        super().__init__(limit=limit)
        self.retry_after_seconds = wait_seconds


def inviting(team: Team, *, seats: int, now: datetime) -> Team:
    """The team with one invitation more, of which it may send twice as many as it pays for `seats`, and 20 at least.

    They are counted by the hour, and forgotten when all of it is a day ago. Raises TooManyInvites.
    """
    hour = int(now.timestamp()) // HOUR_SECONDS
    recent = {at: count for at, count in team.invites.items() if at >= hour - WINDOW_HOURS}
    limit = max(INVITES_MIN, INVITES_PER_SEAT * seats)
    if sum(recent.values()) >= limit:
        free_at = (min(recent) + WINDOW_HOURS + 1) * HOUR_SECONDS
        raise TooManyInvites(limit=limit, wait_seconds=free_at - int(now.timestamp()))
    return team.model_copy(update={"invites": {**recent, hour: recent.get(hour, 0) + 1}})
