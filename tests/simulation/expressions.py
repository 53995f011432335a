"""DynamoDB's expressions, as far as this project uses them: text to functions over items, kept by their text.

Items and values are in DynamoDB's own form (`{"S": "x"}`, `{"N": "5"}`). What is not known here raises `Unknown`, so
that an expression that a store begins to use is either added here (and to tests/conformance) or seen to be missing.
Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Expressions.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

Item = Mapping[str, Any]
Names = Mapping[str, str]
Values = Mapping[str, Any]
Path = tuple[str, ...]
Holds = Callable[[Item, Names, Values], bool]
Operand = Callable[[Item, Names, Values], Any]

_TOKEN = re.compile(r"\s*(?:(#\w+|:\w+|\w+)|(<=|>=|<>|[=<>(),.+-]))")
_CLAUSES = frozenset({"SET", "REMOVE", "ADD"})
_WORDS = frozenset(["AND", "OR", "NOT", "IN", "BETWEEN", "DELETE"])
_FUNCTIONS = frozenset(
    [
        "attribute_exists",
        "attribute_not_exists",
        "attribute_type",
        "begins_with",
        "contains",
        "size",
        "if_not_exists",
        "list_append",
    ]
)
_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}


class Unknown(AssertionError):
    """Something of DynamoDB that this engine does not do: a gap here, never an answer."""


class Invalid(Exception):
    """What DynamoDB answers with a ValidationException."""


@dataclass(frozen=True)
class Action:
    """One part of an update: `SET path = value`, `REMOVE path` or `ADD path :value`."""

    kind: str
    path: Path
    value: Operand | None = None


@dataclass(frozen=True)
class KeyCondition:
    """`hash = :value`, and one of: nothing, `begins_with(range, :value)`, `range <= :value`, `range BETWEEN :value AND
    :last`.
    """

    hash_name: str
    hash_value: str
    range_name: str = ""
    range_test: str = ""
    range_value: str = ""
    range_last: str = ""


class _Text:
    """The tokens of an expression, read from the left. `used`: every placeholder and bare name in it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[str] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise Unknown(f"cannot read {text[at:]!r} of {text!r}")
            self.tokens.append(found.group(1) or found.group(2))
            at = found.end()
        self.place = 0

    @property
    def next(self) -> str:
        return self.tokens[self.place] if self.place < len(self.tokens) else ""

    def take(self, *wanted: str) -> str:
        token = self.next
        if not token or (wanted and token not in wanted):
            raise Unknown(f"{' or '.join(wanted) or 'more'} expected, {token or 'nothing'} found in {self.text!r}")
        self.place += 1
        return token

    def end(self) -> None:
        if self.next:
            raise Unknown(f"{self.next} is left over in {self.text!r}")


@cache
def condition(text: str) -> Holds:
    """A condition expression: of an item that is not there, give `{}`."""
    read = _Text(text)
    holds = _any_of(read)
    read.end()
    return holds


@cache
def update(text: str) -> tuple[Action, ...]:
    """The actions of an update expression. Raises Invalid where two of them meet in one place."""
    read = _Text(text)
    actions: list[Action] = []
    while read.next:
        clause = read.take(*_CLAUSES)
        while True:
            path = _path(read)
            if clause == "SET":
                read.take("=")
                actions.append(Action(clause, path, _sum(read)))
            elif clause == "REMOVE":
                actions.append(Action(clause, path))
            else:
                actions.append(Action(clause, path, _operand(read)))
            if read.next != ",":
                break
            read.take(",")
    return tuple(actions)


@cache
def key_condition(text: str) -> KeyCondition:
    """A key condition, in the four forms in which this project asks."""
    read = _Text(text)
    hash_name = read.take()
    read.take("=")
    hash_value = read.take()
    if not read.next:
        return KeyCondition(hash_name, hash_value)
    read.take("AND")
    test, range_last = "<=", ""
    if read.next == "begins_with":
        test = read.take()
        read.take("(")
        range_name = read.take()
        read.take(",")
        range_value = read.take()
        read.take(")")
    else:
        range_name = read.take()
        test = read.take("<=", "BETWEEN")
        range_value = read.take()
        if test == "BETWEEN":
            read.take("AND")
            range_last = read.take()
    read.end()
    return KeyCondition(hash_name, hash_value, range_name, test, range_value, range_last)


@cache
def placeholders(text: str) -> frozenset[str]:
    """Every `#name` and `:value` that an expression uses."""
    return frozenset(re.findall(r"[#:]\w+", text))


@cache
def bare_names(text: str) -> frozenset[str]:
    """Every attribute that an expression names as itself."""
    words = set(re.findall(r"(?<![#:\w])[A-Za-z_]\w*", text))
    return frozenset(words - _CLAUSES - _WORDS - _FUNCTIONS)


def resolve(path: Path, names: Names) -> Path:
    """A path's real names. Raises Invalid for a placeholder that is not given."""
    try:
        return tuple(names[part] if part[0] == "#" else part for part in path)
    except KeyError as error:
        raise Invalid(f"An expression attribute name used in the document path is not defined: {error}") from error


def at(item: Item, path: Path) -> Any:
    """The value at a resolved path, or None."""
    found: Any = item.get(path[0])
    for name in path[1:]:
        if found is None or "M" not in found:
            return None
        found = found["M"].get(name)
    return found


def number(value: Any) -> int:
    """The whole number of an attribute; the project stores no others."""
    return int(value["N"])


def _any_of(read: _Text) -> Holds:
    parts = [_all_of(read)]
    while read.next == "OR":
        read.take("OR")
        parts.append(_all_of(read))
    if len(parts) == 1:
        return parts[0]
    return lambda item, names, values: any(part(item, names, values) for part in parts)


def _all_of(read: _Text) -> Holds:
    parts = [_one(read)]
    while read.next == "AND":
        read.take("AND")
        parts.append(_one(read))
    if len(parts) == 1:
        return parts[0]
    return lambda item, names, values: all(part(item, names, values) for part in parts)


def _one(read: _Text) -> Holds:
    if read.next == "NOT":
        read.take("NOT")
        inner = _one(read)
        return lambda item, names, values: not inner(item, names, values)
    if read.next == "(":
        read.take("(")
        inner = _any_of(read)
        read.take(")")
        return inner
    if read.next in ("attribute_exists", "attribute_not_exists"):
        exists = read.take() == "attribute_exists"
        read.take("(")
        path = _path(read)
        read.take(")")
        return lambda item, names, values: (at(item, resolve(path, names)) is not None) is exists
    left = _operand(read)
    comparison = read.take("=", "<>", *_ORDERS)
    return _compared(left, comparison, _operand(read))


def _compared(left: Operand, comparison: str, right: Operand) -> Holds:
    if comparison == "=":
        return lambda item, names, values: (
            (found := left(item, names, values)) is not None and bool(found == right(item, names, values))
        )
    if comparison == "<>":
        return lambda item, names, values: bool(left(item, names, values) != right(item, names, values))
    order = _ORDERS[comparison]

    def holds(item: Item, names: Names, values: Values) -> bool:
        one, other = left(item, names, values), right(item, names, values)
        if one is None or other is None:
            return False
        if "N" in one and "N" in other:
            return order(number(one), number(other))
        if "S" in one and "S" in other:
            return order(one["S"], other["S"])
        if one.keys() == other.keys():
            raise Unknown(f"{comparison} of {one} and {other}")
        return False

    return holds


def _sum(read: _Text) -> Operand:
    """What a SET assigns: an operand, or the sum or the difference of two."""
    left = _operand(read)
    if read.next not in ("+", "-"):
        return left
    sign = 1 if read.take() == "+" else -1
    right = _operand(read)

    def value(item: Item, names: Names, values: Values) -> Any:
        one, other = left(item, names, values), right(item, names, values)
        if one is None or other is None:
            raise Invalid("The provided expression refers to an attribute that does not exist in the item")
        if "N" not in one or "N" not in other:
            raise Invalid("An operand in the update expression has an incorrect data type")
        return {"N": str(number(one) + sign * number(other))}

    return value


def _operand(read: _Text) -> Operand:
    if read.next.startswith(":"):
        placeholder = read.take()

        def given(item: Item, names: Names, values: Values) -> Any:
            if placeholder not in values:
                raise Invalid(f"An expression attribute value used in expression is not defined: {placeholder}")
            return values[placeholder]

        return given
    if read.next == "if_not_exists":
        return _or_else(read)
    path = _path(read)
    return lambda item, names, values: at(item, resolve(path, names))


def _or_else(read: _Text) -> Operand:
    """`if_not_exists(path, operand)`: what is there, or else the other."""
    read.take("if_not_exists")
    read.take("(")
    path = _path(read)
    read.take(",")
    other = _operand(read)
    read.take(")")

    def value(item: Item, names: Names, values: Values) -> Any:
        found = at(item, resolve(path, names))
        return other(item, names, values) if found is None else found

    return value


def _path(read: _Text) -> Path:
    parts = [_name(read)]
    while read.next == ".":
        read.take(".")
        parts.append(_name(read))
    return tuple(parts)


def _name(read: _Text) -> str:
    name = read.take()
    if not re.fullmatch(r"#\w+|[A-Za-z_]\w*", name) or read.next == "(":
        raise Unknown(f"{name} in {read.text!r}")
    return name
