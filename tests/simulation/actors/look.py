"""Look: a customer looks at the balance, and sees what the lots have."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

from chalicelib.books.ledger.model import Source
from chalicelib.books.subscriptions.model import Subscription
from tests.simulation.faults import ANOTHER
from tests.simulation.stage import Customer, Sent, Stage

CLOCKS_DIFFER = timedelta(seconds=4)


def act(stage: Stage) -> None:
    customer = stage.somebody()
    before = _held(stage, customer, stage.now - CLOCKS_DIFFER)
    interrupted = stage.outside.counts[ANOTHER]
    reply = stage.ask(customer, Sent("GET", "/v1/payments/me/service/consumable"))
    after = _held(stage, customer, stage.now + CLOCKS_DIFFER)
    if reply is None or reply.status != 200 or before != after or stage.outside.counts[ANOTHER] != interrupted:
        return  # somebody used or bought something in between, or something expired
    shown: Counter[str] = Counter()
    for group in reply.json.values():
        for entry in group:
            _add(shown, entry["slug"] if "service" not in entry else entry["service"]["slug"], entry["balance"]["unit"])
    if +shown != +before or (-shown).keys() != (-before).keys():
        stage.complain(f"person {customer.user_id} sees {dict(shown)} and has {dict(before)}")


def _held(stage: Stage, customer: Customer, now: Any) -> Counter[str]:
    """Units by service, as the rows have them, less what each account owes: -1 is unlimited."""
    partition = f"LEDGER#USER#{customer.user_id}"
    pools = [f"LEDGER#TEAM#{row['team']['N']}" for row in stage.memory.beginning(partition, "BAL_POOL#")]
    accounts: Counter[tuple[str, str, str]] = Counter()
    owed: Counter[tuple[str, str, str]] = Counter()
    for holder in (partition, *pools):
        closed = holder != partition and _is_closed(stage, customer, int(holder.rpartition("#")[2]), now)
        for row in stage.memory.beginning(holder, "BAL#"):
            slug = json.loads(row["doc"]["S"])["service_slug"]
            account = (holder, row["sk"]["S"].rpartition("#")[0], slug)
            owed[account] += int(row.get("owes", {"N": "0"})["N"])
            for name, lot in row.items():
                if name.startswith("lot_"):
                    expires = int(lot["M"]["e"]["N"])
                    bought = json.loads(lot["M"]["o"]["S"])["source"] == Source.PURCHASE
                    usable = (expires == 0 or expires > now.timestamp()) and not (closed and bought)
                    _add(accounts, account, int(lot["M"]["r"]["N"]) if usable else 0)
    found: Counter[str] = Counter()
    for account, units in accounts.items():
        _add(found, account[2], units if units < 0 else max(0, units - owed[account]))
    return found


def _is_closed(stage: Stage, customer: Customer, team_id: int, now: Any) -> bool:
    """Whether somebody who does not pay for the team has no access by its plan, and so none to what was bought."""
    team = stage.memory.get((f"TEAM#{team_id}", "TEAM"))
    if team is None:
        return False
    owner_id = json.loads(team["doc"]["S"])["owner_id"]
    held = stage.memory.get((f"USER#{owner_id}", f"SUB#{team_id:016d}"))
    if held is None or owner_id == customer.user_id:
        return False
    until = Subscription.model_validate_json(held["doc"]["S"]).access_until
    return until is not None and until <= now


def _add(units: Counter[Any], slug: Any, how_many: int) -> None:
    units[slug] = -1 if -1 in (units[slug], how_many) else units[slug] + how_many
