"""What API Gateway, the documentation and authorization need of every route."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

import app
from chalicelib.entrypoints import _dispatch
from chalicelib.entrypoints._http import Access, Route
from chalicelib.entrypoints._openapi import operation_id
from chalicelib.entrypoints._refusals import refusals, routes
from chalicelib.entrypoints._served import SERVED
from chalicelib.kernel.errors import DomainError


def ambiguous(paths: Iterable[str]) -> list[str]:
    """Places of the path tree where two variables have different names: API Gateway refuses to deploy them."""
    names: dict[str, set[str]] = defaultdict(set)
    for path in paths:
        parent = ""
        for part in path.split("/")[1:]:
            variable = part.startswith("{")
            if variable:
                names[parent].add(part)
            parent = f"{parent}/{'{}' if variable else part}"
    return [f"{parent}/ has {', '.join(sorted(found))}" for parent, found in names.items() if len(found) > 1]


class TestPaths:
    def test_have_one_variable_name_at_each_place(self) -> None:
        assert ambiguous(_dispatch.paths()) == []

    def test_with_two_are_found(self) -> None:
        assert ambiguous(["/a/{x}/b", "/a/{y}"])
        assert ambiguous(["/a/{x}/b/{y}", "/a/{x}/c/{z}", "/a/b"]) == []

    def test_are_all_served_by_the_app_with_a_preflight(self) -> None:
        served = {path: set(methods) for path, methods in app.app.routes.items()}
        assert served == {path: {*methods, "OPTIONS"} for path, methods in _dispatch.paths().items()}

    def test_are_served_by_the_module_that_is_named(self) -> None:
        named = {path: module for path, (module, _) in SERVED.items()}
        assert named == {
            path: route.handler.__module__ for path, methods in _dispatch.paths().items() for route in methods.values()
        }


class TestRoutes:
    def test_say_what_they_do(self) -> None:
        assert [_name(route) for route in routes() if not route.summary.endswith(".")] == []

    def test_have_ids_of_their_own(self) -> None:
        ids = [operation_id(route) for route in routes()]
        assert len(ids) == len(set(ids))

    def test_for_staff_name_a_capability(self) -> None:
        assert [_name(route) for route in routes() if route.access is Access.STAFF and not route.capability] == []

    def test_take_the_variables_of_their_path(self) -> None:
        for route in routes():
            in_path = {part[1:-1] for part in route.path.split("/") if part.startswith("{")}
            assert set(route.variables) == in_path, _name(route)

    def test_of_reading_take_no_body(self) -> None:
        assert [_name(route) for route in routes() if route.method in ("GET", "HEAD") and route.body is not None] == []

    def test_name_refusals_that_a_caller_can_meet(self) -> None:
        known = {(refusal.slug, refusal.status) for refusal in refusals()}
        named = {error for route in routes() for error in route.errors}
        assert DomainError not in named
        assert {error.slug for error in named} <= {slug for slug, _ in known}


class TestSlugs:
    def test_have_one_status_each(self) -> None:
        statuses: dict[str, set[int]] = defaultdict(set)
        for refusal in refusals():
            statuses[refusal.slug].add(refusal.status)
        shared = {
            "invalid-request": {400, 402},  # the payment service's own word for a charge that it refuses
            # In the body of an invitation (the facts' section 16), and elsewhere.
            "user-not-found": {400, 404},
            "cohort-not-found": {400, 404},
            "plan-not-found": {400, 404},
        }
        assert {slug: found for slug, found in statuses.items() if len(found) > 1} == shared

    def test_are_words_joined_by_dashes(self) -> None:
        assert [one.slug for one in refusals() if not re.fullmatch("[a-z0-9_]+(-[a-z0-9_]+)*", one.slug)] == []


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"
