"""What a person has: their own subscriptions and financings, and those of others in whose teams they sit."""

from __future__ import annotations

from dataclasses import dataclass

from chalicelib.books.subscriptions import queries as subscription_queries
from chalicelib.books.subscriptions import store as subscriptions
from chalicelib.books.subscriptions.model import Financing, Holding, Subscription
from chalicelib.books.subscriptions.queries import read_holding
from chalicelib.books.teams import queries
from chalicelib.dynamo.table import Table


@dataclass(frozen=True, slots=True)
class Seen:
    """Each list has the person's own first, the newest first."""

    subscriptions: tuple[Subscription, ...]
    financings: tuple[Financing, ...]


def seen_by(table: Table, user_id: int) -> Seen:
    """Three queries, and one read more for whoever sits in a team."""
    shared = _shared(table, user_id)
    own, financed = subscription_queries.subscriptions(table, user_id), subscription_queries.financings(table, user_id)
    return Seen(
        (*own, *(one for one in shared if isinstance(one, Subscription))),
        (*financed, *(one for one in shared if isinstance(one, Financing))),
    )


def _shared(table: Table, user_id: int) -> list[Holding]:
    keys = [
        (subscriptions.financing_key if one.financed else subscriptions.subscription_key)(one.owner_id, one.team_id)
        for one in queries.memberships(table, user_id)
    ]
    rows = table.get_many(keys) if keys else {}
    return [read_holding(rows[key]).holding for key in reversed(keys) if key in rows]
