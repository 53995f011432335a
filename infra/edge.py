"""What API Gateway answers by itself, rendered from `edge.yaml` into the OpenAPI document that Chalice generates.

An unknown route, a wrong method or a body that is too large never reaches a function. Without this they would
answer in API Gateway's words, without CORS headers, so that a browser's program could not even read them.

Sources: x-amazon-apigateway-gateway-responses, x-amazon-apigateway-any-method and mock integrations in the API
Gateway developer guide. Not tried against AWS (docs/deploy.md says what was tried).
"""

import json
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]

EDGE_FILE = Path(__file__).with_name("edge.yaml")
ANY_METHOD = "x-amazon-apigateway-any-method"
GATEWAY_RESPONSES = "x-amazon-apigateway-gateway-responses"
PROBLEM_JSON = "application/problem+json"

# A mock answers 415 to a body in a type that it has no template for, whatever it is asked to answer. These are
# the types that clients send; any other gets the 415.
MOCK_BODY_TYPES = (
    "application/json",
    "application/problem+json",
    "application/merge-patch+json",
    "application/x-www-form-urlencoded",
    "application/yaml",
    "application/xml",
    "multipart/form-data",
    "text/plain",
)

Document = dict[str, Any]


class AmbiguousPath(Exception):
    """Two variables with different names stand at one level of the path tree; API Gateway refuses to deploy."""


def add_edge(document: Document) -> None:
    """Add gateway responses, and an answer of 405 to each path, to a Swagger 2 `document`, in place.

    Raises `AmbiguousPath` for two variable names at one level of the path tree.
    """
    refuse_ambiguous_paths(document["paths"])
    edge = yaml.safe_load(EDGE_FILE.read_text())
    document[GATEWAY_RESPONSES] = _gateway_responses(edge["refusals"])
    for path in document["paths"].values():
        path[ANY_METHOD] = _wrong_method(path, edge["method_not_allowed"])


def refuse_ambiguous_paths(paths: list[str] | Document) -> None:
    """Raise `AmbiguousPath` for `/a/{x}` beside `/a/{y}/b`: API Gateway accepts one variable at one place."""
    variables: dict[str, tuple[str, str]] = {}
    for path in sorted(paths):
        parent = ""
        for part in path.strip("/").split("/"):
            if part.startswith("{"):
                first = variables.setdefault(parent, (part, path))
                if first[0] != part:
                    raise AmbiguousPath(f"{first[1]} and {path} name one place {first[0]} and {part}.")
            parent = f"{parent}/{part}"


def _gateway_responses(refusals: Document) -> Document:
    """One response for each type that AWS documents, DEFAULT_4XX and DEFAULT_5XX among them."""
    responses: Document = {}
    for slug, refusal in refusals.items():
        headers = {
            "gatewayresponse.header.Content-Type": f"'{PROBLEM_JSON}'",
            "gatewayresponse.header.Access-Control-Allow-Origin": "method.request.header.Origin",
            "gatewayresponse.header.Vary": "'Origin'",
        }
        if "retry_after_seconds" in refusal:
            headers["gatewayresponse.header.Retry-After"] = f"'{refusal['retry_after_seconds']}'"
            headers["gatewayresponse.header.Access-Control-Expose-Headers"] = "'Retry-After'"
        for kind in refusal["answers"]:
            responses[kind] = {
                "statusCode": str(refusal["status"]),
                "responseParameters": headers,
                "responseTemplates": {"application/json": _problem(slug, refusal)},
            }
    return responses


def _wrong_method(path: Document, refusal: Document) -> Document:
    """A mock that answers 405 to every method that `path` does not have, and names those that it has."""
    status = str(refusal["status"])
    headers = {
        "method.response.header.Allow": f"'{', '.join(sorted(method.upper() for method in path))}'",
        "method.response.header.Content-Type": f"'{PROBLEM_JSON}'",
        "method.response.header.Vary": "'Origin'",
    }
    # A mock's headers are fixed texts; only a template can repeat what the request said.
    origin = (
        '#set($origin = $input.params().header.get("Origin"))'
        '#if(!$origin)#set($origin = $input.params().header.get("origin"))#end'
        "#if($origin)#set($context.responseOverride.header.Access-Control-Allow-Origin = $origin)#end"
    )
    method: Document = {
        "responses": {
            status: {
                "description": refusal["title"],
                "headers": {name.rsplit(".", 1)[1]: {"type": "string"} for name in headers},
            }
        },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "passthroughBehavior": "never",
            "requestTemplates": dict.fromkeys(MOCK_BODY_TYPES, f'{{"statusCode": {status}}}'),
            "responses": {
                "default": {
                    "statusCode": status,
                    "responseParameters": headers,
                    "responseTemplates": {"application/json": origin + _problem(refusal["slug"], refusal)},
                }
            },
        },
    }
    variables = next((known["parameters"] for known in path.values() if "parameters" in known), None)
    if variables is not None:
        method["parameters"] = variables
    return method


def _problem(slug: str, refusal: Document) -> str:
    return json.dumps(
        {
            "type": f"/docs/errors#{slug}",
            "title": refusal["title"],
            "status": refusal["status"],
            "detail": refusal["detail"],
            "slug": slug,
            "status_code": refusal["status"],
        }
    )
