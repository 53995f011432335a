"""The items of the one table in memory: by key in sorted partitions, and in the two sparse indexes.

An item is never changed in place: a write puts another one. So whoever holds one, or a copy of a whole table, holds it
as it was.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator
from typing import Any

from infra.table import table_declaration
from tests.simulation.expressions import Invalid

Item = dict[str, Any]
Key = tuple[str, str]
Place = tuple[Any, str, str]

KEYS = ("pk", "sk")
NUMBER_DIGITS_MAX = 38
PK_BYTES_MAX, SK_BYTES_MAX = 2048, 1024
UTF8_BYTES_MAX = 4
"""How many bytes a character takes at most."""
ITEM_BYTES_MAX = 400 * 1024


class Index:
    """One global secondary index: only items that have both of its attributes are in it.

    A place in it is the range value and the item's key, so that items that share a range value have an order too.
    """

    def __init__(self, declared: dict[str, Any], types: dict[str, str]) -> None:
        self.hash_name, self.range_name = (part["AttributeName"] for part in declared["KeySchema"])
        self.range_type = types[self.range_name]
        projection = declared["Projection"]
        kept = {"KEYS_ONLY": (), "INCLUDE": tuple(projection.get("NonKeyAttributes", ()))}[projection["ProjectionType"]]
        self._names = (*KEYS, self.hash_name, self.range_name, *kept)
        self._types = ((self.hash_name, types[self.hash_name]), (self.range_name, self.range_type))
        self.partitions: dict[str, list[Place]] = {}

    def check(self, item: Item) -> None:
        """Raise Invalid where an attribute of the index has another type, or is empty."""
        for name, wanted in self._types:
            value = item.get(name)
            if value is not None and (wanted not in value or value[wanted] == ""):
                raise Invalid(f"One or more parameter values were invalid: Type mismatch for Index Key {name}")

    def place(self, item: Item) -> tuple[str, Place] | None:
        partition, at = item.get(self.hash_name), item.get(self.range_name)
        if partition is None or at is None:
            return None
        return partition["S"], (self.range_value(at), item["pk"]["S"], item["sk"]["S"])

    def range_value(self, value: Any) -> Any:
        return int(value["N"]) if self.range_type == "N" else value["S"]

    def move(self, old: Item | None, new: Item | None) -> None:
        before = None if old is None else self.place(old)
        after = None if new is None else self.place(new)
        if before == after:
            return
        if before is not None:
            places = self.partitions[before[0]]
            del places[bisect_left(places, before[1])]
        if after is not None:
            insort(self.partitions.setdefault(after[0], []), after[1])

    def shown(self, item: Item) -> Item:
        return {name: item[name] for name in self._names if name in item}


class Rows:
    """All items. `changed` has, for each key that was written since it was last taken, the item as it was before."""

    def __init__(self) -> None:
        declared = table_declaration()["create"]
        types = {one["AttributeName"]: one["AttributeType"] for one in declared["AttributeDefinitions"]}
        self.indexes = {one["IndexName"]: Index(one, types) for one in declared["GlobalSecondaryIndexes"]}
        self._items: dict[Key, Item] = {}
        self._order: dict[str, list[str]] = {}
        self.changed: dict[Key, Item | None] = {}

    def get(self, key: Key) -> Item | None:
        return self._items.get(key)

    def put(self, key: Key, item: Item | None) -> None:
        """The item under a key from now on; None removes it."""
        old = self._items.get(key)
        self.changed.setdefault(key, old)
        pk, sk = key
        if item is None:
            if old is not None:
                del self._items[key]
                order = self._order[pk]
                del order[bisect_left(order, sk)]
        else:
            if old is None:
                insort(self._order.setdefault(pk, []), sk)
            self._items[key] = item
        for index in self.indexes.values():
            index.move(old, item)

    def taken(self) -> dict[Key, Item | None]:
        """What was written since this was last asked, each with the item as it was before."""
        changed, self.changed = self.changed, {}
        return changed

    def of(self, pk: str, holds: Callable[[str], bool]) -> list[Item]:
        """The items of a partition whose sort key passes, in order."""
        return [self._items[pk, sk] for sk in self._order.get(pk, ()) if holds(sk)]

    def beginning(self, pk: str, prefix: str) -> list[Item]:
        order = self._order.get(pk, [])
        first = bisect_left(order, prefix)
        last = bisect_right(order, prefix + "\U0010ffff") if prefix else len(order)
        return [self._items[pk, sk] for sk in order[first:last]]

    def indexed(self, index: Index, partition: str) -> Iterator[Item]:
        """What an index shows of a partition, in its order."""
        return (index.shown(self._items[pk, sk]) for _, pk, sk in index.partitions.get(partition, ()))

    def all(self) -> list[Item]:
        return [self._items[pk, sk] for pk in sorted(self._order) for sk in self._order[pk]]

    def copy(self) -> list[Item]:
        return list(self._items.values())

    def become(self, items: list[Item]) -> None:
        """These items and no others; nothing counts as changed."""
        self._items, self._order = {}, {}
        for index in self.indexes.values():
            index.partitions = {}
        for item in items:
            self.put((item["pk"]["S"], item["sk"]["S"]), item)
        self.changed = {}


def check_item(item: Item, indexes: dict[str, Index], before: Item | None = None) -> None:
    """Raise Invalid for an item that DynamoDB would not store. What `before` has too was looked at then."""
    check_key(item)
    known = before or {}
    for name, value in item.items():
        if known.get(name) is not value:
            _check_value(name, value)
    for index in indexes.values():
        index.check(item)
    if _rough_size(item) * UTF8_BYTES_MAX > ITEM_BYTES_MAX and _size(item) > ITEM_BYTES_MAX:
        raise Invalid("Item size has exceeded the maximum allowed size")


def check_key(item: Item) -> Key:
    """The key of an item. Raises Invalid for one that DynamoDB would not take."""
    pk, sk = item.get("pk", {}).get("S"), item.get("sk", {}).get("S")
    if not pk or not sk or len(pk.encode()) > PK_BYTES_MAX or len(sk.encode()) > SK_BYTES_MAX:
        raise Invalid(f"One or more parameter values were invalid: the key is {pk!r}, {sk!r}")
    return pk, sk


def _check_value(name: str, value: Any) -> None:
    ((kind, inner),) = value.items()
    if kind == "M":
        for key, nested in inner.items():
            _check_value(key, nested)
    elif kind == "N":
        if str(int(inner)) != inner or len(inner.lstrip("-")) > NUMBER_DIGITS_MAX:
            raise Invalid(f"{name} is {inner}, no whole number of at most {NUMBER_DIGITS_MAX} digits")
    elif kind not in ("S", "BOOL") or not isinstance(inner, bool if kind == "BOOL" else str):
        raise Invalid(f"{name} is {value}")


def _rough_size(item: Item) -> int:
    return sum(len(str(next(iter(value.values())))) for value in item.values())


def _size(item: Item) -> int:
    """Source: https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html"""
    return sum(len(name.encode()) + _value_size(value) for name, value in item.items())


def _value_size(value: Any) -> int:
    ((kind, inner),) = value.items()
    if kind == "S":
        return len(inner.encode())
    if kind == "M":
        return 3 + sum(1 + len(name.encode()) + _value_size(nested) for name, nested in inner.items())
    return 1 if kind == "BOOL" else len(inner.lstrip("-")) // 2 + 2
