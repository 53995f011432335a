"""The expression builders that stores use, so that pynamodb is named in this layer only."""

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

__all__ = ["Action", "Condition", "Path"]
