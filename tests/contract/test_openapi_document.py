"""The OpenAPI document: valid, complete, and in step with what is served."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

import app
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, Output, Query
from chalicelib.entrypoints._openapi import document
from chalicelib.entrypoints._refusals import refusals, routes
from chalicelib.entrypoints.academy.statement_schemas import LinkOut, StatementOut
from chalicelib.kernel.errors import DomainError, Kind
from infra import errors_page
from tests.http_calls import a_route

METHODS = ("get", "post", "put", "patch", "delete")


class Part(Output):
    price: float


class Whole(Output):
    parts: list[Part]


class Order(Input):
    slugs: ClassVar[Mapping[str, str]] = {"plan": "plan-not-readable"}
    plan: int
    note: str | None = None


class Filter(Query):
    limit: int = 20


class OutOfStock(DomainError):
    kind = Kind.CONFLICT
    slug = "out-of-stock"
    detail = "No {plan} left."


@pytest.fixture(scope="module")
def served() -> dict[str, Any]:
    return json.loads(json.dumps(document(routes())))  # type: ignore[no-any-return]


def operations(found: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in found["paths"].items():
        for method in METHODS:
            if method in methods:
                yield path, method.upper(), methods[method]


class TestTheServedDocument:
    def test_is_valid(self, served: dict[str, Any]) -> None:
        assert [error.message for error in OpenAPIV31SpecValidator(served).iter_errors()] == []

    def test_has_every_route_and_no_other(self, served: dict[str, Any]) -> None:
        described = {(path, method) for path, method, _ in operations(served)}
        registered = {(route.path, route.method) for route in routes()}
        by_chalice = {
            (path, method) for path, methods in app.app.routes.items() for method in methods if method != "OPTIONS"
        }
        assert described == registered == by_chalice

    def test_refers_to_what_it_has_only(self, served: dict[str, Any]) -> None:
        text = json.dumps(served)
        for reference in set(re.findall(r'"\$ref": "#/([^"]+)"', text)):
            node: Any = served
            for part in reference.split("/"):
                node = node[part]
        used = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
        assert used == set(served["components"]["schemas"])

    def test_links_refusals_that_the_table_has(self, served: dict[str, Any]) -> None:
        known = {(refusal.slug, refusal.status) for refusal in refusals()}
        shown = {(one["value"]["slug"], one["value"]["status"]) for one in served["components"]["examples"].values()}
        assert shown <= known

    def test_says_of_every_route_what_the_edge_may_answer(self, served: dict[str, Any]) -> None:
        for path, method, operation in operations(served):
            assert {"413", "429", "500", "503", "504"} <= set(operation["responses"]), (method, path)


class TestAnOperation:
    def described(self, handler: Any, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        route = a_route(handler, path=options.pop("path", "/orders"), **options)
        made = json.loads(json.dumps(document([route])))
        assert list(OpenAPIV31SpecValidator(made).iter_errors()) == []
        return made["paths"][route.path][route.method.lower()], made["components"]

    def test_is_read_from_the_route(self) -> None:
        def order(call: Call, plan: int, slug: str, body: Order, query: Filter) -> Answer:
            """Order a plan.

            Nothing is charged
            yet.
            """
            return Answer(201)

        found, components = self.described(
            order,
            path="/orders/{plan}/{slug}",
            access=Access.STAFF,
            capability="crud_plan",
            keyed=True,
            answers={201: Whole, 202: list[Part], 204: None},
            errors=(OutOfStock,),
        )
        assert found["summary"] == "Order a plan."
        assert found["description"] == "Nothing is charged yet.\n\nNeeds the capability `crud_plan`."
        parameters = {(one["in"], one["name"]): one for one in found["parameters"]}
        assert parameters["path", "plan"]["schema"]["type"] == "integer"
        assert parameters["path", "slug"]["schema"] == {"type": "string", "minLength": 1, "maxLength": 200}
        assert parameters["query", "limit"]["schema"]["default"] == 20
        assert not parameters["query", "limit"]["required"]
        assert ("header", "Idempotency-Key") in parameters
        assert ("header", "Academy") in parameters
        assert found["requestBody"]["required"]
        assert components["schemas"]["Order"]["required"] == ["plan"]
        assert "Filter" not in components["schemas"]
        whole = {"$ref": "#/components/schemas/Whole"}
        assert found["responses"]["201"]["content"] == {"application/json": {"schema": whole}}
        assert found["responses"]["202"]["content"]["application/json"]["schema"]["type"] == "array"
        assert "content" not in found["responses"]["204"]
        assert "Idempotent-Replayed" in found["responses"]["201"]["headers"]
        assert found["security"] == [{"token": []}, {"bearer": []}, {"apiKey": []}]
        assert set(found["responses"]) == {
            "201",
            "202",
            "204",
            "400",
            "401",
            "403",
            "404",
            "409",
            "413",
            "415",
            "429",
            "500",
            "503",
            "504",
        }
        slugs = found["responses"]["400"]["content"]["application/problem+json"]["examples"]
        assert {"invalid-request", "malformed-json", "repeated-parameter", "plan-not-readable"} <= set(slugs)
        assert components["examples"]["out-of-stock"]["value"]["status"] == 409

    def test_that_takes_one_or_several_says_so(self) -> None:
        def order(call: Call, body: Order | list[Order]) -> Answer:
            """Order."""
            return Answer(201)

        found, _ = self.described(order, answers={201: Part | list[Part]}, bodies_max=7)
        one = {"$ref": "#/components/schemas/Order"}
        several = {"type": "array", "items": one, "minItems": 1, "maxItems": 7}
        assert found["requestBody"]["content"]["application/json"]["schema"] == {"anyOf": [one, several]}
        answers = found["responses"]["201"]["content"]["application/json"]["schema"]["anyOf"]
        assert [answer.get("type") for answer in answers] == [None, "array"]

    def test_that_takes_yaml_too_says_so(self) -> None:
        def order(call: Call, body: Annotated[Order, "application/yaml"]) -> Answer:
            """Order."""
            return Answer(201)

        found, _ = self.described(order, answers={201: Part})
        schema = {"schema": {"$ref": "#/components/schemas/Order"}}
        assert found["requestBody"]["content"] == {"application/json": schema, "application/yaml": schema}
        assert "malformed-yaml" in found["responses"]["400"]["content"]["application/problem+json"]["examples"]

    def test_names_a_slug_by_its_status_where_it_has_two(self) -> None:
        def look(call: Call) -> Answer:
            """Look."""
            return Answer(200)

        class SoldOut(OutOfStock):
            kind = Kind.GONE

        found, components = self.described(look, answers={200: None}, errors=(OutOfStock, SoldOut))
        for status, name in (("409", "out-of-stock"), ("410", "out-of-stock-410")):
            assert name in found["responses"][status]["content"]["application/problem+json"]["examples"]
            assert components["examples"][name]["value"]["status"] == int(status)

    def test_of_the_webhook_takes_a_signed_event(self) -> None:
        def receive(call: Call) -> Answer:
            """Receive."""
            return Answer(200)

        receive.__module__ = "chalicelib.entrypoints.stripe_webhook"
        found, _ = self.described(receive, answers={200: None})
        assert found["tags"] == ["stripe"]
        assert found["requestBody"]["required"]
        assert [one["name"] for one in found["parameters"] if one["required"]] == ["Stripe-Signature"]

    def test_that_answers_text_says_of_which_types(self) -> None:
        def look(call: Call) -> Answer:
            """Look."""
            return Answer(200)

        of_two_types = Annotated[str, "text/css", "text/html"]
        for kind, media in ((str, ["text/plain"]), (of_two_types, ["text/css", "text/html"])):
            found, _ = self.described(look, method="GET", answers={200: kind})
            assert list(found["responses"]["200"]["content"]) == media

    def test_that_answers_json_or_a_file_says_of_which_types(self) -> None:
        def look(call: Call) -> Answer:
            """Look."""
            return Answer(200)

        of_three_types = Annotated[StatementOut | LinkOut, "text/csv", "application/pdf"]
        found, _ = self.described(look, method="GET", answers={200: of_three_types})
        content = found["responses"]["200"]["content"]
        assert list(content) == ["application/json", "text/csv", "application/pdf"]
        assert len(content["application/json"]["schema"]["anyOf"]) == 2
        assert content["text/csv"] == {"schema": {"type": "string"}}

    def test_open_to_everyone_asks_for_nothing(self) -> None:
        def look(call: Call) -> Answer:
            """Look."""
            return Answer(200)

        found, _ = self.described(look, method="GET", answers={200: None})
        assert found["security"] == []
        assert "parameters" not in found
        assert "requestBody" not in found
        assert "403" not in found["responses"]


class TestTheTableInDocs:
    def test_is_up_to_date(self) -> None:
        message = "run: python -m infra.errors_page"
        assert errors_page.PAGE.read_text() == errors_page.page(), message

    def test_has_one_row_for_each_refusal(self) -> None:
        rows = [line for line in errors_page.page().splitlines() if line.startswith("| `")]
        assert len(rows) == len(refusals())
        assert all(line.count("|") - line.count("\\|") == 5 for line in rows)
