"""What is shared with a person: the subscriptions and financings of others in whose teams they sit."""

from __future__ import annotations

from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Holding
from chalicelib.books.subscriptions.queries import read_holding
from chalicelib.books.teams import queries
from chalicelib.dynamo.table import Table


def shared_with(table: Table, user_id: int) -> list[Holding]:
    """The newest first. One query, and one read more for whoever sits in a team."""
    keys = [
        (subscriptions.financing_key if one.financed else subscriptions.subscription_key)(one.owner_id, one.team_id)
        for one in queries.memberships(table, user_id)
    ]
    rows = table.get_many(keys) if keys else {}
    return [read_holding(rows[key]).holding for key in reversed(keys) if key in rows]
