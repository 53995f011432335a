"""Staff price services, for the journeys that follow."""

from __future__ import annotations

from typing import Any

from tests.shop import COURSES
from tests.staffing import Clerk

PATH = "/v1/payments/academy/academyservice"
SERVICES = "/v1/payments/academy/service"
PRICE = {"service": COURSES, "currency": "USD", "price_per_unit": 0.10}


def made(staff: Clerk, **changes: Any) -> Any:
    answer = staff.post(PATH, {**PRICE, **changes})
    assert answer.status == 201, answer.text
    return answer.json


def a_new_service(staff: Clerk, slug: str, **changes: Any) -> int:
    """Of the academy, public and void."""
    body = {"slug": slug, "title": slug, "type": "VOID", "private": False, **changes}
    answer = staff.post(SERVICES, body)
    assert answer.status == 201, answer.text
    return int(answer.json["id"])


def warned(answer: Any) -> list[str]:
    return [warning["slug"] for warning in answer["warnings"]]
