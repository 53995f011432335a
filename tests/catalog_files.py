"""Files of an academy's offer, and an academy that has none yet."""

from __future__ import annotations

from typing import Any

import yaml  # type: ignore[import-untyped]

from chalicelib.entrypoints._yaml import read_yaml
from tests.staffing import Clerk
from tests.world import Reply

PATH = "/v1/payments/academy/catalog"

OFFER = """
settings: {main_currency: USD}
services:
- {slug: mentoring, title: Mentoring, type: MENTORSHIP_SERVICE_SET, consumer: JOIN_MENTORSHIP}
- {slug: courses, title: All courses, session_duration: 3600}
- {slug: seat, title: A seat, type: SEAT}
cohorts:
- {slug: first-steps, name: First steps, available_as_saas: true}
sets:
- {kind: cohort, slug: all-courses, name: Courses, members: [first-steps]}
- {kind: mentorship_service, slug: mentors, name: Mentors, members: [1, 2]}
academy_services:
- service: mentoring
  currency: USD
  price_per_unit: 50
  max_items: 20
  max_amount: 1000
  pricing_ratio_exceptions: {MX: 0.7, ES: {price: 45.5, currency: EUR}}
  available_mentorship_service_sets: [mentors]
- {service: seat, currency: USD, price_per_unit: 10, max_items: 5, max_amount: 100}
service_items:
- {key: two, service: mentoring, how_many: 2, is_renewable: true, features: [{lang: en, title: Two}]}
- {key: courses, service: courses, how_many: -1}
financing_options:
- {key: year, monthly_price: 299.5, how_many_months: 12, currency: USD}
plans:
- slug: pro
  title: Pro
  currency: USD
  status: ACTIVE
  trial_duration: 0
  price_per_month: 59.99
  price_per_year: 479.99
  cohort_set: all-courses
  mentorship_service_set: mentors
  seat_service_price: seat
  add_ons: [mentoring]
  service_items: [two, courses]
- slug: bootcamp
  currency: USD
  status: ACTIVE
  is_renewable: false
  time_of_life: 12
  time_of_life_unit: MONTH
  cohort_set: all-courses
  financing_options: [year]
  service_items: [courses]
coupons:
- {slug: welcome, discount_value: 0.1, plans: [pro], offered_at: 2026-01-01T00:00:00Z, expires_at: 2099-01-01T00:00:00Z}
plan_offers:
- {original_plan: pro, suggested_plan: bootcamp, translations: [{lang: es, title: Mejor}]}
"""


def offer(**sections: Any) -> Any:
    """The file with other sections."""
    return {**read_yaml(OFFER.encode()), **sections}


def applied(staff: Clerk, file: Any, *, query: str = "") -> Reply:
    """A file as YAML, given as text or as what it says; what follows is a second later."""
    text = file if isinstance(file, str) else yaml.safe_dump(file)
    headers = {"Academy": str(staff.academy_id), "Content-Type": "application/yaml"}
    world, token = staff.person.world, staff.person.token
    answer = world.call("POST", f"{PATH}/apply{query}", raw=text.encode(), token=token, headers=headers)
    world.advance(seconds=1)
    return answer


def changes(answer: Reply) -> list[tuple[str, str, str]]:
    """What was done to what."""
    assert answer.status == 200, answer.text
    return [(change["action"], change["kind"], change["ref"]) for change in answer.json["changes"]]


def exported(staff: Clerk, query: str = "") -> str:
    answer = staff.get(f"{PATH}/export{query}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/yaml")
    return answer.text
