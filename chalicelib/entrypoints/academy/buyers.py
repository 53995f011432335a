"""Who buys or uses, and from where, as the journeys are told."""

from __future__ import annotations

from chalicelib.books.billing.model import Buyer, Whence
from chalicelib.entrypoints._auth import Caller, source_of
from chalicelib.entrypoints._http import Call

USER_AGENT_CHARACTERS_MAX = 200


def buyer_of(caller: Caller) -> Buyer:
    return Buyer(user_id=caller.user_id, email=caller.email, first_name=caller.first_name, last_name=caller.last_name)


def whence_of(call: Call) -> Whence:
    """From where a purchase is made: kept with its invoice, should the payment be disputed."""
    agent = call.headers.get("user-agent", "")[:USER_AGENT_CHARACTERS_MAX]
    return Whence(ip=source_of(call), user_agent=agent or None)
