"""What API Gateway answers by itself: the one error shape, CORS, 405 with Allow, and no ambiguous paths."""

import json
from typing import Any

import pytest

from chalicelib.entrypoints import _http
from infra.edge import ANY_METHOD, GATEWAY_RESPONSES, AmbiguousPath, add_edge, refuse_ambiguous_paths

# The response types of the API Gateway developer guide.
RESPONSE_TYPES = {
    "ACCESS_DENIED",
    "API_CONFIGURATION_ERROR",
    "AUTHORIZER_CONFIGURATION_ERROR",
    "AUTHORIZER_FAILURE",
    "BAD_REQUEST_BODY",
    "BAD_REQUEST_PARAMETERS",
    "DEFAULT_4XX",
    "DEFAULT_5XX",
    "EXPIRED_TOKEN",
    "INTEGRATION_FAILURE",
    "INTEGRATION_TIMEOUT",
    "INVALID_API_KEY",
    "INVALID_SIGNATURE",
    "MISSING_AUTHENTICATION_TOKEN",
    "QUOTA_EXCEEDED",
    "REQUEST_TOO_LARGE",
    "RESOURCE_NOT_FOUND",
    "THROTTLED",
    "UNAUTHORIZED",
    "UNSUPPORTED_MEDIA_TYPE",
    "WAF_FILTERED",
}


def a_document() -> dict[str, Any]:
    thing = {"name": "thing", "in": "path", "required": True, "type": "string"}
    return {
        "paths": {
            "/health": {"get": {}, "options": {}},
            "/things/{thing}": {"put": {"parameters": [thing]}, "get": {"parameters": [thing]}},
        }
    }


@pytest.fixture
def document() -> dict[str, Any]:
    made = a_document()
    add_edge(made)
    return made


class TestGatewayResponses:
    def test_each_type_that_aws_documents_is_answered(self, document: dict[str, Any]) -> None:
        assert set(document[GATEWAY_RESPONSES]) == RESPONSE_TYPES

    def test_each_has_the_one_error_shape_and_lets_browsers_read_it(self, document: dict[str, Any]) -> None:
        for response in document[GATEWAY_RESPONSES].values():
            body = json.loads(response["responseTemplates"]["application/json"])
            assert set(body) == {"type", "title", "status", "detail", "slug", "status_code"}
            assert body["status"] == body["status_code"] == int(response["statusCode"])
            assert body["type"] == f"/docs/errors#{body['slug']}"
            headers = response["responseParameters"]
            assert headers["gatewayresponse.header.Content-Type"] == "'application/problem+json'"
            assert headers["gatewayresponse.header.Access-Control-Allow-Origin"] == ("method.request.header.Origin")

    @pytest.mark.parametrize(
        ("kind", "status", "slug"),
        [
            ("MISSING_AUTHENTICATION_TOKEN", 404, "route-not-found"),
            ("INVALID_SIGNATURE", 404, "route-not-found"),
            ("REQUEST_TOO_LARGE", 413, "request-too-large"),
            ("UNSUPPORTED_MEDIA_TYPE", 415, "unsupported-media-type"),
            ("THROTTLED", 429, "too-many-requests"),
            ("INTEGRATION_TIMEOUT", 504, "no-answer-in-time"),
            ("DEFAULT_5XX", 500, "internal-error"),
        ],
    )
    def test_the_type_has_its_slug(self, document: dict[str, Any], kind: str, status: int, slug: str) -> None:
        body = json.loads(document[GATEWAY_RESPONSES][kind]["responseTemplates"]["application/json"])
        assert (body["status"], body["slug"]) == (status, slug)

    def test_throttling_says_when_to_come_back(self, document: dict[str, Any]) -> None:
        headers = document[GATEWAY_RESPONSES]["THROTTLED"]["responseParameters"]
        assert headers["gatewayresponse.header.Retry-After"] == "'1'"

    def test_what_the_code_answers_too_has_the_same_words(self, document: dict[str, Any]) -> None:
        def answered(kind: str) -> Any:
            return json.loads(document[GATEWAY_RESPONSES][kind]["responseTemplates"]["application/json"])

        assert answered("MISSING_AUTHENTICATION_TOKEN") == _http.problem(_http.RouteNotFound()).body
        assert answered("UNSUPPORTED_MEDIA_TYPE") == _http.problem(_http.UnsupportedMediaType()).body
        for response in document[GATEWAY_RESPONSES].values():
            body = json.loads(response["responseTemplates"]["application/json"])
            assert body["title"] == _http.TITLES[body["status"]]


class TestWrongMethod:
    def test_each_path_names_its_own_methods(self, document: dict[str, Any]) -> None:
        def allow(path: str) -> Any:
            mock = document["paths"][path][ANY_METHOD]["x-amazon-apigateway-integration"]
            return mock["responses"]["default"]["responseParameters"]["method.response.header.Allow"]

        assert allow("/health") == "'GET, OPTIONS'"
        assert allow("/things/{thing}") == "'GET, PUT'"

    def test_it_answers_405_in_the_one_error_shape(self, document: dict[str, Any]) -> None:
        mock = document["paths"]["/health"][ANY_METHOD]["x-amazon-apigateway-integration"]
        assert mock["type"] == "mock"
        assert json.loads(mock["requestTemplates"]["application/json"]) == {"statusCode": 405}
        answer = mock["responses"]["default"]
        body = json.loads(answer["responseTemplates"]["application/json"].rpartition("#end")[2])
        assert answer["statusCode"] == "405"
        refusal = _http.MethodNotAllowed(method="$context.httpMethod")
        assert body == _http.problem(refusal).body

    def test_it_knows_the_variables_of_its_path(self, document: dict[str, Any]) -> None:
        names = [one["name"] for one in document["paths"]["/things/{thing}"][ANY_METHOD]["parameters"]]
        assert names == ["thing"]


class TestRefuseAmbiguousPaths:
    @pytest.mark.parametrize(
        "paths",
        [
            ["/plan/{plan_id}", "/plan/{slug}"],
            ["/plan/{plan_id}/seats", "/plan/{slug}"],
            ["/{academy}/plan", "/{tenant}"],
        ],
    )
    def test_two_names_at_one_level_are_refused(self, paths: list[str]) -> None:
        with pytest.raises(AmbiguousPath):
            refuse_ambiguous_paths(paths)

    def test_one_name_beside_fixed_words_is_fine(self) -> None:
        refuse_ambiguous_paths(["/plan/{plan}", "/plan/{plan}/seat/{seat}", "/plan/all", "/set/{set}"])
