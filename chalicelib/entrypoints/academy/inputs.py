"""Fields that several bodies of the academy's dialect share."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from chalicelib.books.billing.model import Buyer, Whence
from chalicelib.entrypoints._auth import Caller, source_of
from chalicelib.entrypoints._http import INTEGER_MAX, Call

USER_AGENT_CHARACTERS_MAX = 200
Ident = Annotated[int, Field(ge=1, le=INTEGER_MAX)]
Slug = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9_-]+$")]
Ref = Ident | Slug
"""An id or a slug."""
Country = Annotated[str, Field(pattern=r"^[A-Za-z]{2}$")]
Secret = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[A-Za-z0-9_]+$")]


def buyer_of(caller: Caller) -> Buyer:
    return Buyer(user_id=caller.user_id, email=caller.email, first_name=caller.first_name, last_name=caller.last_name)


def whence_of(call: Call) -> Whence:
    """From where a purchase is made: kept with its invoice, should the payment be disputed."""
    agent = call.headers.get("user-agent", "")[:USER_AGENT_CHARACTERS_MAX]
    return Whence(ip=source_of(call), user_agent=agent or None)
