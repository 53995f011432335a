"""What waits in the due index, of every kind: the local clock passes the days in which nothing does at once."""

from __future__ import annotations

from datetime import datetime

from chalicelib.dynamo.table import Table


def is_anything_due(table: Table, at: datetime, *, but: str) -> bool:
    """Whether a row of another kind is due at or before an instant. Scans the index: a local table is small."""
    request = {
        "TableName": table.name,
        "IndexName": "due",
        "FilterExpression": "due_at <= :until AND NOT begins_with(due_shard, :but)",
        "ExpressionAttributeValues": {":until": {"N": str(int(at.timestamp()))}, ":but": {"S": f"{but}#"}},
    }
    while True:
        answer = table.call("Scan", request)
        if answer["Items"]:
            return True
        if "LastEvaluatedKey" not in answer:
            return False
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
