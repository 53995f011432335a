"""What waits in the due index, read at once: the local clock passes over what is not due, and the ticks that would find
nothing are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.books.subscriptions.store import HOLDINGS_DUE
from chalicelib.books.teams.recharge_store import RECHARGES_DUE
from chalicelib.books.teams.store import SEATS_DUE
from chalicelib.dynamo.rows import decode
from chalicelib.dynamo.table import Due, Table
from chalicelib.kernel.periods import utc

RECURRING = (f"{HOLDINGS_DUE}#", f"{SEATS_DUE}#", f"{RECHARGES_DUE}#")


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is due by an instant: of what recurs each row, the oldest first; whether anything else is."""

    recurring: list[Due] = field(default_factory=list)
    others: bool = True


def waiting(table: Table, at: datetime) -> Waiting:
    """Scans the index: a local table is small."""
    request = {
        "TableName": table.name,
        "IndexName": "due",
        "FilterExpression": "due_at <= :until",
        "ExpressionAttributeValues": {":until": {"N": str(int(at.timestamp()))}},
    }
    items = []
    while True:
        answer = table.call("Scan", request)
        items += answer["Items"]
        if "LastEvaluatedKey" not in answer:
            break
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
    recurs = [item for item in items if item["due_shard"]["S"].startswith(RECURRING)]
    found = [Due(decode(item).key, utc(int(item["due_at"]["N"]))) for item in recurs]
    return Waiting(sorted(found, key=lambda due: due.at), others=len(recurs) < len(items))
