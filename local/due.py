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
    """What is due by an instant: of what recurs each row, the oldest first; when the first of all else is; whether a
    webhook is.
    """

    recurring: list[Due] = field(default_factory=list)
    others: datetime | None = None
    webhooks: bool = False


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
    recurring, others = [], []
    for item in items:
        at = utc(int(item["due_at"]["N"]))
        if item["due_shard"]["S"].startswith(RECURRING):
            recurring.append(Due(decode(item).key, at))
        else:
            others.append(at)
    return Waiting(sorted(recurring, key=lambda due: due.at), min(others, default=None))
