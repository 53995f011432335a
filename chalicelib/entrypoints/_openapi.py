"""The OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1), generated from the routes and their models.

Nothing here is imported before somebody asks for it. There is no second description to keep up to date: what a route
takes, answers and refuses is read from the same objects that serve it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec
from pydantic import TypeAdapter

from chalicelib.books.identity.model import InvalidAcademyId
from chalicelib.books.identity.store import AcademyNotFound
from chalicelib.entrypoints import _auth, _dispatch, _http
from chalicelib.entrypoints._http import INTEGER_MAX, PATH_TEXT_MAX, STATUS, TITLES, Access, Route
from chalicelib.entrypoints._json import MalformedJson
from chalicelib.entrypoints._refusals import OF_THE_EDGE, field_slugs
from chalicelib.entrypoints._yaml import MalformedYaml
from chalicelib.kernel.errors import DomainError, InvalidRequest, TryLater

VERSION = "0.1.0"
PACKAGE = "chalicelib.entrypoints."
REFERENCE = "#/components/schemas/{model}"
PROBLEM = "application/problem+json"
TAGS = {
    "academy": "Plans, checkout, subscriptions and consumables of academies: for customers and for staff.",
    "platform": "Payments, wallets and usage of platforms.",
    "studio": "Class packs, credits and bookings of studios.",
    "identity": "Accounts, tokens, API keys and invitations.",
    "ops": "For operators of this deployment: academies, staff, keys, the inbox and the outbox.",
    "stripe": "What Stripe calls.",
    "documentation": "What describes this API, and whether it is up.",
}

_TAG_OF_MODULE = {"docs": "documentation", "stripe_webhook": "stripe"}

Json = dict[str, Any]
Schemas = Mapping[tuple[str, str], Json]


def document(routes: Iterable[Route]) -> Json:
    """The whole document as JSON-able dictionaries."""
    listed = list(routes)
    schemas, models = _schemas(listed)
    paths: Json = {}
    tags: dict[str, None] = {}
    refused: dict[str, Json] = {}
    for route in listed:
        operation = _operation(route, schemas, models, refused)
        tags[operation["tags"][0]] = None
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    queries = {_name(schemas[key]) for key in schemas if key[1] == "query"}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Purser",
            "version": VERSION,
            "summary": "A billing backend for businesses that sell on Stripe.",
            "description": _ABOUT,
        },
        "servers": [{"url": "./", "description": "The deployment that serves this document"}],
        "tags": [{"name": name, "description": TAGS.get(name, name)} for name in sorted(tags)],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM_SCHEMA} | {n: s for n, s in models.items() if n not in queries},
            "securitySchemes": _SECURITY_SCHEMES,
            "headers": _HEADERS,
            "examples": dict(sorted(refused.items())),
        },
    }


def operation_id(route: Route) -> str:
    """Unique over the document and stable: where the handler lives and what it is called."""
    return f"{route.handler.__module__.removeprefix(PACKAGE)}_{route.handler.__name__}".replace(".", "_")


def _operation(route: Route, schemas: Schemas, models: Json, refused: dict[str, Json]) -> Json:
    module = route.handler.__module__.removeprefix(PACKAGE).split(".")
    lines = (route.handler.__doc__ or "").strip().split("\n", 1)
    found: Json = {
        "operationId": operation_id(route),
        "tags": [_TAG_OF_MODULE.get(module[0], module[0])],
        "x-resource": module[-1],
        "summary": lines[0],
        "description": _description(route, lines[1] if len(lines) > 1 else ""),
        "security": [] if route.access is Access.PUBLIC else [{name: []} for name in _SECURITY_SCHEMES],
    }
    parameters = _parameters(route, schemas, models)
    if parameters:
        found["parameters"] = parameters
    body = _request_body(route, schemas, models)
    if body is not None:
        found["requestBody"] = body
    found["responses"] = _answers(route, schemas) | _refusals(route, refused)
    return found


def _description(route: Route, rest: str) -> str:
    paragraphs = [" ".join(line.strip() for line in rest.strip().splitlines())]
    if route.capability is not None:
        paragraphs.append(f"Needs the capability `{route.capability}`.")
    if route.access is Access.OPERATOR:
        paragraphs.append("For operators of this deployment.")
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _parameters(route: Route, schemas: Schemas, models: Json) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": _variable_schema(kind)}
        for name, kind in route.variables.items()
    ]
    if route.query is not None:
        model = models[_name(schemas[_key(route), "query"])]
        for name, schema in model.get("properties", {}).items():
            parameter = {"name": name, "in": "query", "required": name in model.get("required", ()), "schema": schema}
            if "description" in schema:
                parameter["description"] = schema["description"]
            found.append(parameter)
    if route.keyed:
        found.append(_IDEMPOTENCY_KEY)
    if route.access is Access.STAFF:
        found.append(_ACADEMY)
    if _is_webhook(route):
        found.append(_STRIPE_SIGNATURE)
    return found


def _variable_schema(kind: type) -> Json:
    if kind is int:
        return {"type": "integer", "minimum": 0, "maximum": INTEGER_MAX}
    return {"type": "string", "minLength": 1, "maxLength": PATH_TEXT_MAX}


def _request_body(route: Route, schemas: Schemas, models: Json) -> Json | None:
    if route.body is not None:
        schema = schemas[_key(route), "body"]
        required = bool(models[_name(schema)].get("required"))
        if route.bodies_max:
            several = {"type": "array", "items": schema, "minItems": 1, "maxItems": route.bodies_max}
            schema = _one_of([schema, several])
        types = ("application/json", *route.body_types)
        return {"required": required, "content": {media_type: {"schema": schema} for media_type in types}}
    if _is_webhook(route):
        event = {"type": "object", "description": "A Stripe event; its bytes are what is signed."}
        return {"required": True, "content": {"application/json": {"schema": event}}}
    return None


def _answers(route: Route, schemas: Schemas) -> Json:
    found: Json = {}
    for status, kind in sorted(route.answers.items()):
        answer: Json = {"description": _SUCCESS.get(status, "Done"), "headers": dict(_ANSWER_HEADERS)}
        if route.keyed:
            answer["headers"]["Idempotent-Replayed"] = {"$ref": "#/components/headers/Idempotent-Replayed"}
        if kind is not None:
            answer["content"] = _content(kind, schemas[_key(route), f"answer {status}"])
        found[str(status)] = answer
    return found


def _content(kind: Any, schema: Json) -> Json:
    """JSON, unless the answer is text. `Annotated[kind, "text/csv"]` says of what other types it may be."""
    if get_origin(kind) is not Annotated:
        return {"text/plain" if kind is str else "application/json": {"schema": schema}}
    first, *types = get_args(kind)
    # A schema describes what a text says where its type has a data model (OpenAPI 3.1, 4.8.14), as YAML's has.
    text = {one: {"schema": {"type": "object" if one == "application/yaml" else "string"}} for one in types}
    return text if first is str else {"application/json": {"schema": schema}, **text}


def _refusals(route: Route, refused: dict[str, Json]) -> Json:
    """What the route may refuse, by status, with one example a slug. The examples themselves are shared."""
    by_status: dict[int, dict[str, str]] = {}
    for error in (*_common(route), *route.errors):
        by_status.setdefault(STATUS[error.kind], {}).setdefault(error.slug, error.detail)
    for slug, field in field_slugs(route).items():
        by_status.setdefault(400, {}).setdefault(slug, f"{field} is missing or cannot be read.")
    for (slug, status), sentence in OF_THE_EDGE.items():
        by_status.setdefault(status, {}).setdefault(slug, sentence)
    found: Json = {}
    for status, slugs in sorted(by_status.items()):
        examples = {}
        for slug, sentence in sorted(slugs.items()):
            name = slug
            example = _example(slug, status, sentence)
            if refused.setdefault(name, example)["value"]["status"] != status:  # one of the few slugs with two
                name = f"{slug}-{status}"
                refused.setdefault(name, example)
            examples[name] = {"$ref": f"#/components/examples/{name}"}
        content = {PROBLEM: {"schema": {"$ref": REFERENCE.format(model="Problem")}, "examples": examples}}
        found[str(status)] = {"description": TITLES[status], "headers": _ANSWER_HEADERS, "content": content}
    return found


def _common(route: Route) -> list[type[DomainError]]:
    """What dispatch and authentication refuse before the handler is called, and the academy that a call names."""
    found: list[type[DomainError]] = [_http.BodyTooLarge, _dispatch.RepeatedHeader, _dispatch.RepeatedParameter]
    found += [_auth.Unauthenticated, TryLater]
    found += _OF_ACCESS[route.access]
    if route.access is Access.PERSON and route.capability is not None:
        found.append(_auth.OtherAcademy)
    if route.access is Access.STAFF or _names_academy(route):
        found += [AcademyNotFound, InvalidAcademyId, _auth.AcademyMismatch]
    if route.body is not None or route.query is not None or route.variables or route.refuses_bodies:
        found.append(InvalidRequest)
    if route.refuses_bodies:
        found.append(MalformedJson)
    if route.body is not None:
        found += [MalformedJson, _http.UnsupportedMediaType]
    if route.body_types:
        found.append(MalformedYaml)
    if route.keyed:
        found.append(_dispatch.InvalidIdempotencyKey)
    return found


def _names_academy(route: Route) -> bool:
    fields = {
        *(route.body.model_fields if route.body is not None else ()),
        *(route.query.__struct_fields__ if route.query is not None else ()),
    }
    return not fields.isdisjoint(_auth.ACADEMY_NAMES)


def _example(slug: str, status: int, sentence: str) -> Json:
    value: Json = {
        "type": f"/docs/errors#{slug}",
        "title": TITLES[status],
        "status": status,
        "detail": sentence,
        "slug": slug,
        "status_code": status,
    }
    return {"summary": sentence, "value": value}


def _schemas(routes: list[Route]) -> tuple[Schemas, Json]:
    """The schema of each model by route and place, as references, and what they refer to."""
    bodies: list[tuple[tuple[str, str], Literal["validation"], TypeAdapter[Any]]] = [
        ((_key(route), "body"), "validation", TypeAdapter(route.body)) for route in routes if route.body is not None
    ]
    of_bodies, rest = TypeAdapter.json_schemas(bodies, ref_template=REFERENCE)
    kinds = {(_key(route), "query"): (route.query,) for route in routes if route.query is not None}
    for route in routes:
        kinds |= {(_key(route), f"answer {status}"): _kinds(kind) for status, kind in route.answers.items() if kind}
    listed = [kind for several in kinds.values() for kind in several]
    schemas, structs = msgspec.json.schema_components(listed, ref_template=REFERENCE.format(model="{name}"))
    models = rest.get("$defs", {}) | {name: _described(schema) for name, schema in structs.items()}
    found = {key: dict(schema) for (key, _), schema in of_bodies.items()}
    each = iter(schemas)
    return found | {key: _one_of([next(each) for _ in several]) for key, several in kinds.items()}, models


def _kinds(kind: Any) -> tuple[Any, ...]:
    """One by one: msgspec has no word for one struct or another that nothing in the JSON tells apart."""
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return get_args(bare) if isinstance(bare, UnionType) else (bare,)


def _one_of(schemas: list[Json]) -> Json:
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _described(schema: Json) -> Json:
    return schema | {"description": inspect.cleandoc(schema["description"])} if "description" in schema else schema


def _key(route: Route) -> str:
    return f"{route.method} {route.path}"


def _name(schema: Json) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _is_webhook(route: Route) -> bool:
    return route.handler.__module__ == f"{PACKAGE}stripe_webhook"


_OF_ACCESS: Mapping[Access, tuple[type[DomainError], ...]] = {
    Access.PUBLIC: (),
    Access.PERSON: (_auth.NotAuthenticated, _auth.ScopeMissing),
    Access.STAFF: (
        _auth.NotAuthenticated,
        _auth.PermissionDenied,
        _auth.OtherAcademy,
        _auth.AcademyRequired,
    ),
    Access.OPERATOR: (_auth.NotAuthenticated, _auth.OperatorOnly),
}
_ABOUT = (
    "Money is in major units (59.99) in the academy dialect and in minor units (2999) elsewhere. A count of -1 is "
    "unlimited. Every refusal has one shape, `application/problem+json`, and a stable `slug`: see docs/errors. "
    "A request that is sent twice with one `Idempotency-Key` is served once."
)
_SUCCESS = {200: "Done", 201: "Created", 202: "Accepted: it is not finished yet", 204: "Done", 304: "Not modified"}
_ANSWER_HEADERS = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}
_SECURITY_SCHEMES: Json = {
    "token": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Token` and a token that login answered.",
    },
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT or token"},
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
}
_HEADERS: Json = {
    "X-Request-Id": {"description": "The id of this request in our logs.", "schema": {"type": "string"}},
    "Idempotent-Replayed": {
        "description": "`true` where this is the answer of an earlier request with the same Idempotency-Key.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_IDEMPOTENCY_KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Your own key for this request: sent again, it is answered again and done once.",
    "schema": {"type": "string", "minLength": 1, "maxLength": _dispatch.IDEMPOTENCY_KEY_MAX, "pattern": "^[ -~]+$"},
}
_ACADEMY: Json = {
    "name": "Academy",
    "in": "header",
    "required": False,
    "description": "The academy to act for; also as `academy` in the query or body.",
    "schema": {"type": "integer", "minimum": 1, "maximum": INTEGER_MAX},
}
_STRIPE_SIGNATURE: Json = {
    "name": "Stripe-Signature",
    "in": "header",
    "required": True,
    "description": "`t=` unix seconds and one `v1=` HMAC-SHA256 or several.",
    "schema": {"type": "string"},
}
_PROBLEM_SCHEMA: Json = {
    "title": "Problem",
    "description": "A refusal (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "slug", "status_code"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "One sentence for people."},
        "slug": {"type": "string", "description": "Stable; for programs."},
        "status_code": {"type": "integer"},
        "errors": {
            "type": "array",
            "description": "Where fields cannot be read.",
            "items": {
                "type": "object",
                "required": ["field", "message"],
                "properties": {"field": {"type": "string"}, "message": {"type": "string"}},
            },
        },
        "silent": {"type": "boolean", "description": "Of payments: the customer was told nothing more."},
        "silent_code": {"type": "string", "description": "Of payments: which refusal it was."},
    },
}
