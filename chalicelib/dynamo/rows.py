"""Rows as the table holds them: a key, a JSON document `doc`, and the attributes that conditions and indexes need.

A document is a frozen type; the table sees its JSON as one string, so that reading an old row is msgspec's job (a field
that is missing takes its default). Attributes beside `doc` are those that an expression names: `version`,
counters, lots, `due_shard` and `due_at`, `ref` and `ref_sk`, `ttl`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from chalicelib.kernel.documents import Document

Scalar = str | int | bool
Value = Scalar | Mapping[str, Scalar]
Values = Mapping[str, Value]
Encoded = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    pk: str
    sk: str

    def encoded(self) -> Encoded:
        return {"pk": {"S": self.pk}, "sk": {"S": self.sk}}


@dataclass(frozen=True, slots=True)
class Row:
    key: Key
    values: Values

    @property
    def version(self) -> int:
        version = self.values.get("version", 0)
        return version if isinstance(version, int) else 0

    @property
    def doc(self) -> str:
        return str(self.values["doc"])


D = TypeVar("D", bound=Document)


def load(kind: type[D], row: Row) -> D:
    return kind.model_validate_json(row.doc)


def encode(values: Values) -> Encoded:
    return {name: encoded(value) for name, value in values.items()}


def decode(item: Mapping[str, Any]) -> Row:
    values = {name: value["S"] if "S" in value else _decoded(value) for name, value in item.items()}
    return Row(Key(str(values.pop("pk")), str(values.pop("sk"))), values)


def encoded(value: Value) -> Encoded:
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int):
        return {"N": str(value)}
    if isinstance(value, str):
        return {"S": value}
    return {"M": {name: encoded(inner) for name, inner in value.items()}}


def _decoded(value: Mapping[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    if kind == "N":
        return int(inner)
    if kind == "M":
        return {name: _decoded(nested) for name, nested in inner.items()}
    return inner
