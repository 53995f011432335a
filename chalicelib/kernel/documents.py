"""The base of every stored type: frozen, and lenient towards rows that another release wrote."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Document(BaseModel):
    """A stored type. Unknown fields of a newer release are dropped, missing ones take their defaults."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)
