"""The bases of every type that is only read once it is made: what is stored, what is answered, what is configured.

They are msgspec's structs and not pydantic's models (docs/decisions/0006): a cold start makes a hundred classes before
its first answer. A struct is not checked when our own code makes it, which is the type checker's work, and is checked
whole when it is read from JSON.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, ClassVar, Self, dataclass_transform

import msgspec

_FIRST_USE = Lock()
_DECODERS: dict[type, msgspec.json.Decoder[Any]] = {}


class _Frozen(msgspec.StructMeta):
    """Every class below is frozen and takes its fields by name: msgspec itself inherits only the first of the two."""

    def __new__(mcls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **config: Any) -> Any:
        return super().__new__(mcls, name, bases, namespace, **{"frozen": True, "kw_only": True, **config})


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Frozen(msgspec.Struct, metaclass=_Frozen, frozen=True):
    """A value. `unseen` names the fields that its repr leaves out."""

    unseen: ClassVar[frozenset[str]] = frozenset()

    def model_copy(self, *, update: dict[str, Any]) -> Self:
        """The same with these fields changed. Raises TypeError for a name that is no field."""
        return msgspec.structs.replace(self, **update)

    def __repr__(self) -> str:
        seen = (name for name in self.__struct_fields__ if name not in self.unseen)
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in seen)})"


class Document(Frozen):
    """A stored type. Unknown fields of a newer release are dropped, missing ones take their defaults."""

    @classmethod
    def model_validate_json(cls, text: str) -> Self:
        """The document that was written as this text. Raises msgspec.ValidationError where a field cannot be read."""
        decoder: msgspec.json.Decoder[Self] = _decoder(cls)
        return decoder.decode(text)

    @classmethod
    def model_validate(cls, values: object) -> Self:
        """The document of plain values, or of documents in them. Raises msgspec.ValidationError."""
        _decoder(cls)
        return msgspec.convert(values, cls)

    def model_dump_json(self, *, exclude_none: bool = False) -> str:
        """The document as text. `exclude_none`: without the fields that are None, here and in what is inside."""
        value = _without_none(msgspec.to_builtins(self)) if exclude_none else self
        return msgspec.json.encode(value).decode()


def _decoder(kind: type) -> msgspec.json.Decoder[Any]:
    """The decoder of a type, made once.

    msgspec looks at a class when it is first read, and runs Python code while it does: another thread that reads the
    same class, or one inside it, meanwhile finds it half done, and the process dies of a segmentation fault (0.22). So
    each class is looked at by one thread alone.
    """
    made = _DECODERS.get(kind)
    if made is None:
        with _FIRST_USE:
            made = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    return made


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_none(inner) for name, inner in value.items() if inner is not None}
    return [_without_none(inner) for inner in value] if isinstance(value, (list, tuple)) else value
