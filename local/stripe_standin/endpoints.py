"""Webhook endpoints as the API keeps them; their secret is shown once, when they are made."""

from typing import Any

from local.stripe_standin import listing, objects
from local.stripe_standin.call import Call
from local.stripe_standin.errors import Refusal, missing_resource
from local.stripe_standin.forms import BOOL, MAP, STR, merged_metadata

Json = dict[str, Any]

CREATE: Json = {"url": STR, "enabled_events": [STR], "api_version": STR, "description": STR, "metadata": MAP}
UPDATE: Json = {"url": STR, "enabled_events": [STR], "description": STR, "disabled": BOOL, "metadata": MAP}
ENDPOINTS_MAX = 16


def create(call: Call) -> Json:
    if len(call.store.objects["webhook_endpoint"]) >= ENDPOINTS_MAX:
        message = f"You have reached the maximum of {ENDPOINTS_MAX} test webhook endpoints."
        raise Refusal(400, message)
    events = call.params["enabled_events"]
    _demand_events(events)
    endpoint = objects.webhook_endpoint(call, url=call.params["url"], enabled_events=events)
    for field in ("api_version", "description"):
        endpoint[field] = call.params.get(field)
    endpoint["metadata"] = merged_metadata({}, call.params.get("metadata"))
    call.store.put(endpoint)
    secret = call.store.new_id("whsec", 32)
    call.store.hidden[endpoint["id"]] = {"secret": secret}
    return {**endpoint, "secret": secret}


def retrieve(call: Call) -> Json:
    return call.find("webhook_endpoint", call.ids[0])


def update(call: Call) -> Json:
    endpoint = call.find("webhook_endpoint", call.ids[0])
    params = call.params
    if "enabled_events" in params:
        _demand_events(params["enabled_events"])
        endpoint["enabled_events"] = params["enabled_events"]
    if params.get("url"):
        endpoint["url"] = params["url"]
    if "description" in params:
        endpoint["description"] = params["description"]
    if params.get("disabled") is not None:
        endpoint["status"] = "disabled" if params["disabled"] else "enabled"
    endpoint["metadata"] = merged_metadata(endpoint["metadata"], params.get("metadata"))
    return endpoint


def delete(call: Call) -> Json:
    ident = call.ids[0]
    if call.store.objects["webhook_endpoint"].pop(ident, None) is None:
        raise missing_resource("webhook_endpoint", ident)
    call.store.hidden.pop(ident, None)
    return {"id": ident, "object": "webhook_endpoint", "deleted": True}


def list_all(call: Call) -> Json:
    return listing.page_of(call, "webhook_endpoint")


def _demand_events(events: list[str]) -> None:
    if not events:
        message = "You must provide at least one event in enabled_events."
        raise Refusal(400, message, code="parameter_invalid_empty", param="enabled_events")
