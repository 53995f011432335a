"""What a plan contains: service items linked to it (document 3, 6 and 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from chalicelib.books.catalog.plans import PlanDeleted
from chalicelib.books.catalog.queries import PlanNotFound
from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import INTEGER_MAX, Access, Answer, Call, Output, route
from chalicelib.entrypoints.academy.inputs import Ident, Ref
from chalicelib.entrypoints.academy.queries import ref_of
from chalicelib.entrypoints.staff.inputs import StaffInput, staff_of
from chalicelib.flows.catalog.link_items import (
    LinkNotFound,
    ServiceItemNotFound,
    TooManyServiceItems,
    link_items,
    unlink_items,
)
from chalicelib.kernel.errors import DomainError

PATH = "/v1/payments/academy/plan/serviceitem"
IDS_MAX = 100

Ids = Ident | Annotated[list[Ident], Field(min_length=1, max_length=IDS_MAX)] | Annotated[str, Field(max_length=2000)]
"""One id, several, or several by commas."""


class InvalidIds(DomainError):
    slug = "invalid-service-item-format"
    detail = "{given} is neither an id nor ids by commas."


class LinkBody(StaffInput):
    slugs: ClassVar[Mapping[str, str]] = {"service_item": "invalid-service-item-format"}
    missing_slugs: ClassVar[Mapping[str, str]] = {"plan": "plan-required", "service_item": "service-item-required"}

    plan: Ref
    service_item: Ids


class UnlinkBody(StaffInput):
    slugs: ClassVar[Mapping[str, str]] = {"plan_service_item": "invalid-service-item-format"}
    missing_slugs: ClassVar[Mapping[str, str]] = {"plan_service_item": "plan-service-item-id-required"}

    plan_service_item: Ids


class LinkOut(Output):
    """`created` is false where the plan had the item already."""

    plan_service_item_id: int
    service_item_id: int
    created: bool


class LinkedOut(Output):
    status: Literal["ok"]
    created_items: list[LinkOut]
    total_created: int


class UnlinkedOut(Output):
    status: Literal["ok"]
    deleted: bool
    deleted_count: int
    deleted_ids: list[int]


@route(
    "POST",
    PATH,
    access=Access.STAFF,
    capability="crud_plan",
    answers={200: LinkedOut},
    errors=(
        AcademyRequired,
        PlanNotFound,
        PlanDeleted,
        InvalidIds,
        ServiceItemNotFound,
        TooManyServiceItems,
        ChangedMeanwhile,
    ),
)
def post_links(call: Call, body: LinkBody) -> Answer:
    """Add service items to a plan, for whoever buys it from now on."""
    staff = staff_of(call, body)
    plan_ref = ref_of(body.plan) if isinstance(body.plan, str) else body.plan
    links = link_items(call.runtime.context(call.now), staff, plan_ref, _ids(body.service_item))
    created = [
        LinkOut(plan_service_item_id=link.link_id, service_item_id=link.item_id, created=link.created) for link in links
    ]
    out = LinkedOut(status="ok", created_items=created, total_created=sum(link.created for link in links))
    return Answer(200, out)


@route(
    "DELETE",
    PATH,
    access=Access.STAFF,
    capability="crud_plan",
    answers={200: UnlinkedOut},
    errors=(AcademyRequired, PlanDeleted, InvalidIds, LinkNotFound, ChangedMeanwhile),
)
def delete_links(call: Call, body: UnlinkBody) -> Answer:
    """Take links of service items off their plans, for whoever buys these from now on."""
    staff = staff_of(call, body)
    gone = unlink_items(call.runtime.context(call.now), staff, _ids(body.plan_service_item))
    return Answer(200, UnlinkedOut(status="ok", deleted=True, deleted_count=len(gone), deleted_ids=gone))


def _ids(given: Any) -> list[int]:
    """Raises InvalidIds."""
    if isinstance(given, int):
        return [given]
    if isinstance(given, list):
        return given
    parts = [part.strip() for part in given.split(",")]
    if not 1 <= len(parts) <= IDS_MAX or not all(_is_id(part) for part in parts):
        raise InvalidIds(given=repr(given[:60]))
    return [int(part) for part in parts]


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 16 and 1 <= int(text) <= INTEGER_MAX
