"""Look: a customer looks at the balance, and sees what the lots have."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

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
    """Units by service, as the rows have them: -1 is unlimited."""
    partition = f"LEDGER#USER#{customer.user_id}"
    pools = [f"LEDGER#TEAM#{row['team']['N']}" for row in stage.memory.beginning(partition, "BAL_POOL#")]
    found: Counter[str] = Counter()
    for holder in (partition, *pools):
        for row in stage.memory.beginning(holder, "BAL#"):
            slug = json.loads(row["doc"]["S"])["service_slug"]
            for name, lot in row.items():
                if name.startswith("lot_"):
                    expires = int(lot["M"]["e"]["N"])
                    usable = expires == 0 or expires > now.timestamp()
                    _add(found, slug, int(lot["M"]["r"]["N"]) if usable else 0)
    return found


def _add(units: Counter[str], slug: str, how_many: int) -> None:
    units[slug] = -1 if -1 in (units[slug], how_many) else units[slug] + how_many
