"""Events and charges as the API shows them: read only."""

from fnmatch import fnmatchcase
from typing import Any

from local.stripe_standin import listing
from local.stripe_standin.call import Call
from local.stripe_standin.errors import Refusal, missing_resource
from local.stripe_standin.events import StoredEvent
from local.stripe_standin.forms import BOOL, STR

Json = dict[str, Any]

FILTERS: Json = {**listing.PAGING, "type": STR, "types": [STR], "delivery_success": BOOL}


def retrieve(call: Call) -> Json:
    event = call.world.events.shown(call.ids[0])
    if event is None:
        raise missing_resource("event", call.ids[0])
    return event


def list_all(call: Call) -> Json:
    """The events of the last 30 days, the newest first."""
    params, events = call.params, call.world.events
    if params.get("type") and params.get("types"):
        raise Refusal(400, "You may only specify one of these parameters: type, types.", param="types")
    for cursor in ("starting_after", "ending_before"):
        if params.get(cursor) and events.text(params[cursor]) is None:
            raise missing_resource("event", params[cursor], param=cursor, status=400)
    patterns = [params["type"]] if params.get("type") else params.get("types")
    wanted = params.get("delivery_success")

    def matches(stored: StoredEvent) -> bool:
        if patterns and not any(fnmatchcase(stored.kind, pattern) for pattern in patterns):
            return False
        return wanted is None or events.delivered(stored.id) == wanted

    found = ({"id": s.id, "created": s.created} for s in events.newest_first() if matches(s))
    answer = listing.page(call, found, place=events.place)
    answer["data"] = [events.shown(stub["id"]) for stub in answer["data"]]
    return answer


def retrieve_charge(call: Call) -> Json:
    return call.find("charge", call.ids[0])


def list_charges(call: Call) -> Json:
    params = call.params
    return listing.page_of(call, "charge", payment_intent=params.get("payment_intent"), customer=params.get("customer"))
