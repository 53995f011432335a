"""Which permission groups a person has: those of the services of which they hold something that can be used now.

Derived from the balances each time and never stored: what is spent, expires, is frozen, refunded or revoked grants
nothing from that moment on. Unlimited units grant like any other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chalicelib.books.catalog import store as catalog
from chalicelib.books.catalog.model import Permission, Service
from chalicelib.books.ledger.burn import available
from chalicelib.books.ledger.model import Balance, Holder
from chalicelib.dynamo.rows import load
from chalicelib.dynamo.table import Table
from chalicelib.flows.teams.usable import usable_balances


@dataclass(frozen=True, slots=True)
class HeldGroup:
    """A group at one academy, with the permissions that its services give it there."""

    academy_id: int
    name: str
    permissions: tuple[Permission, ...]


def held_groups(table: Table, user_id: int, *, academy_id: int | None, now: datetime) -> list[HeldGroup]:
    """The groups at one academy, or at all of them, by academy and name. A pool of a team counts for its members."""
    held = _held(usable_balances(table, user_id, now), now)
    wanted = sorted(pair for pair in held if academy_id in (None, pair[0]))
    rows = table.get_many(catalog.service_key(service_id) for _, service_id in wanted)
    found: dict[tuple[int, str], dict[str, Permission]] = {}
    for at, service_id in wanted:
        row = rows.get(catalog.service_key(service_id))
        for group in load(Service, row).groups if row is not None else ():
            named = found.setdefault((at, group.name), {})
            for permission in group.permissions:
                named.setdefault(permission.codename, permission)
    return [
        HeldGroup(at, name, tuple(permissions[codename] for codename in sorted(permissions)))
        for (at, name), permissions in sorted(found.items())
    ]


def _held(balances: list[Balance], now: datetime) -> set[tuple[int, int]]:
    """Academies and services of which something can be used: more than what the account owes."""
    accounts: dict[tuple[Holder, str], list[Balance]] = {}
    for balance in balances:
        accounts.setdefault((balance.holder, balance.unit.name), []).append(balance)
    return {
        (pages[0].unit.academy_id, pages[0].unit.service_id)
        for pages in accounts.values()
        if available([lot for page in pages for lot in page.lots], now, debt=sum(page.debt for page in pages))
    }
