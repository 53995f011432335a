"""The `expand` parameter: an id in an answer is replaced by the object that it names."""

from typing import Any

from local.stripe_standin.call import Call
from local.stripe_standin.errors import Refusal

Json = dict[str, Any]

EXPANDABLE = {
    "balance_transaction": None,
    "charge": "charge",
    "customer": "customer",
    "default_payment_method": "payment_method",
    "latest_charge": "charge",
    "payment_intent": "payment_intent",
    "payment_method": "payment_method",
    "setup_intent": "setup_intent",
}


def expanded(call: Call, answer: Json) -> Json:
    """A copy of `answer` with the paths of `expand` filled in; the stored objects stay as they are."""
    for path in call.params.get("expand") or []:
        segments = path.split(".")
        if segments[0] == "data" and answer.get("object") == "list":
            things = [_expand(call, thing, segments[1:], path) for thing in answer["data"]]
            answer = {**answer, "data": things}
        else:
            answer = _expand(call, answer, segments, path)
    return answer


def _expand(call: Call, thing: Json, segments: list[str], path: str) -> Json:
    if not segments:
        return thing
    name, rest = segments[0], segments[1:]
    value = thing.get(name)
    if name not in thing or not (name in EXPANDABLE or isinstance(value, dict)):
        message = f"This property cannot be expanded ({name})."
        raise Refusal(400, message, param="expand")
    kind = EXPANDABLE.get(name)
    if isinstance(value, str) and kind:
        value = call.store.get(kind, value)
    if isinstance(value, dict):
        value = _expand(call, value, rest, path)
    return {**thing, name: value}
