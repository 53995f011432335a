"""The expression builders that stores use, so that pynamodb is named in this layer only.

`Path` turns values into DynamoDB's form with our own encoder: pynamodb's goes through an attribute class and a JSON
encoder for every number. It also takes a map as a map, where pynamodb takes one like `{"S": ...}` for a coded value.
"""

from typing import Any

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path as _Path
from pynamodb.expressions.operand import Value
from pynamodb.expressions.update import Action

from chalicelib.dynamo.rows import encoded

__all__ = ["Action", "Condition", "Path"]


class Path(_Path):
    """An attribute, or one inside a map."""

    def _to_value(self, value: Any) -> Value:
        return Value(encoded(value))
