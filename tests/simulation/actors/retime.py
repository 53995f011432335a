"""Retime: somebody's access lasts longer or ends sooner, and with it some of their lots; perhaps two do it at once."""

from __future__ import annotations

from datetime import datetime, timedelta

from chalicelib.books.ledger import queries, store
from chalicelib.books.ledger.model import Holder
from chalicelib.dynamo.writes import commit
from tests.simulation.stage import Stage

TRIES_MAX = 3


def act(stage: Stage) -> None:
    pages = [item["pk"]["S"] for item in stage.memory.copy() if item["sk"]["S"].startswith("BAL#")]
    if pages:
        _, kind, ident = stage.rng.choice(pages).split("#")
        holder, cause = Holder(kind, int(ident)), f"{stage.rng.getrandbits(40)}"
        days = stage.rng.choice((None, 0, 0, 1, 10, 40))
        end = None if days is None else stage.now + timedelta(days=days)
        for _ in range(stage.rng.choice((1, 1, 2))):
            stage.act(f"the lots of {holder} end {end}", lambda: _retime(stage, holder, end, cause))


def _retime(stage: Stage, holder: Holder, end: datetime | None, cause: str) -> None:
    """As a flow does it: each page in a transaction, again where it moved."""
    for page in queries.own_balances(stage.table, holder):
        for _ in range(TRIES_MAX):
            balance = queries.page(stage.table, holder, page.unit, page.page)
            if balance is None:
                break
            entry_id = f"{cause}_{page.unit.name}_{page.page}#retime"
            if queries.entry(stage.table, holder, entry_id) is not None:
                break
            ends = {lot.id: end for lot in balance.lots}
            writes = store.retime_writes(
                holder, balance, ends, entry_id=entry_id, cause=f"retiming:{cause}", now=stage.now
            )
            try:
                if writes:
                    commit(stage.table, writes)
            except store.Moved:
                continue
            break
