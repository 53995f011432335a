"""Stripe's request format: form-encoded bracket keys, checked against what a call accepts."""

import re
from typing import Any
from urllib.parse import parse_qsl

from local.stripe_standin.errors import Refusal

Json = dict[str, Any]

INT = "int"
STR = "str"
BOOL = "bool"
MAP = "map"
RANGE = "range"

METADATA_KEYS_MAX = 50
METADATA_KEY_CHARS_MAX = 40
METADATA_VALUE_CHARS_MAX = 500

_SEGMENT = re.compile(r"\[([^\[\]]*)\]")
_INTEGER = re.compile(r"-?\d{1,18}")
_BOUNDS = {"gt", "gte", "lt", "lte"}


def parse(text: str, spec: Json, *, required: tuple[str, ...] = ()) -> Json:
    """Answer the typed parameters of `text`, or raise the Refusal that Stripe would answer with.

    `spec` maps a name to INT, STR, BOOL, MAP (metadata), RANGE (a time or its bounds), a one-element list (a list of
    that kind) or a nested dictionary. An empty string means "unset" and becomes None (an empty MAP: `{"": ""}`).
    """
    raw = decode(text)
    unknown: list[str] = []
    params = _object(raw, spec, "", unknown)
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        message = f"Received unknown parameter{plural}: {', '.join(unknown)}"
        raise Refusal(400, message, code="parameter_unknown", param=unknown[0])
    for path in required:
        _demand(params, path)
    return params


def decode(text: str) -> Json:
    """Answer the nested dictionary of a form-encoded text; list items are keyed by their index."""
    root: Json = {}
    for key, value in parse_qsl(text, keep_blank_values=True):
        name, _, rest = key.partition("[")
        segments = [name, *_SEGMENT.findall("[" + rest)] if rest else [name]
        node = root
        for segment in segments[:-1]:
            child = node.setdefault(segment or str(len(node)), {})
            if not isinstance(child, dict):
                raise Refusal(400, f"Invalid parameter: {key}", param=name)
            node = child
        node[segments[-1] or str(len(node))] = value
    return root


def _object(raw: Json, spec: Json, prefix: str, unknown: list[str]) -> Json:
    params: Json = {}
    for key, value in raw.items():
        path = f"{prefix}[{key}]" if prefix else key
        kind = spec.get(key)
        if kind is None:
            unknown.append(path)
        else:
            params[key] = _value(value, kind, path, unknown)
    return params


def _value(value: Any, kind: Any, path: str, unknown: list[str]) -> Any:
    if isinstance(kind, list):
        return _list(value, kind[0], path, unknown)
    if isinstance(kind, dict):
        if value == "":
            return None
        if not isinstance(value, dict):
            raise Refusal(400, "Invalid object", param=path)
        return _object(value, kind, path, unknown)
    if kind == MAP:
        return _map(value, path)
    if kind == RANGE:
        return _range(value, path)
    if isinstance(value, dict):
        raise Refusal(400, f"Invalid {'string' if kind == STR else 'integer'}: {value}", param=path)
    if kind == STR or value == "":
        return value or None
    if kind == INT:
        return _integer(value, path)
    if value not in ("true", "false"):
        raise Refusal(400, f"Invalid boolean: {value}", param=path)
    return value == "true"


def _list(value: Any, kind: Any, path: str, unknown: list[str]) -> list[Any]:
    if value == "":
        return []
    if not isinstance(value, dict):
        raise Refusal(400, "Invalid array", param=path)
    return [_value(item, kind, f"{path}[{index}]", unknown) for index, item in value.items()]


def _map(value: Any, path: str) -> dict[str, str]:
    if value == "":
        return {"": ""}
    if not isinstance(value, dict) or any(isinstance(item, dict) for item in value.values()):
        raise Refusal(400, "Invalid object", param=path)
    for key, item in value.items():
        if len(key) > METADATA_KEY_CHARS_MAX:
            message = f"Metadata keys can be up to 40 characters long. The key {key!r} is longer."
            raise Refusal(400, message, param=f"{path}[{key}]")
        if len(item) > METADATA_VALUE_CHARS_MAX:
            message = f"Metadata values can have up to 500 characters, but you passed in a value of {len(item)}."
            raise Refusal(400, message, param=f"{path}[{key}]")
    return dict(value)


def _range(value: Any, path: str) -> dict[str, int]:
    if not isinstance(value, dict):
        exact = _integer(value, path)
        return {"gte": exact, "lte": exact}
    for bound in value:
        if bound not in _BOUNDS:
            name = f"{path}[{bound}]"
            raise Refusal(400, f"Received unknown parameter: {name}", code="parameter_unknown", param=name)
    return {bound: _integer(item, f"{path}[{bound}]") for bound, item in value.items()}


def _integer(value: Any, path: str) -> int:
    if not isinstance(value, str) or not _INTEGER.fullmatch(value):
        raise Refusal(400, f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)
    return int(value)


def _demand(params: Json, path: str) -> None:
    node: Any = params
    for segment in path.replace("]", "").split("["):
        if not isinstance(node, dict) or segment not in node:
            message = f"Missing required param: {path}."
            raise Refusal(400, message, code="parameter_missing", param=path)
        node = node[segment]
    if node is None:
        message = (
            f"You passed an empty string for '{path}'. We assume empty values are an attempt to unset a "
            f"parameter; however '{path}' cannot be unset. You should remove '{path}' from your request or "
            "supply a non-empty value."
        )
        raise Refusal(400, message, code="parameter_invalid_empty", param=path)


def merged_metadata(current: dict[str, str], given: dict[str, str] | None) -> dict[str, str]:
    """Answer metadata after an update: an empty value removes a key, an empty map removes all."""
    if given is None:
        return current
    if given == {"": ""}:
        return {}
    merged = {key: value for key, value in {**current, **given}.items() if value != ""}
    if len(merged) > METADATA_KEYS_MAX:
        raise Refusal(400, "You can only specify up to 50 metadata keys.", param="metadata")
    return merged
