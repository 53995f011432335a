"""What a set and a cohort may be, and who may be in a set. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from chalicelib.books.catalog.model import Cohort, Plan, PlanStatus, ResourceSet, ServicePrice
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.names import is_shown

MEMBERS_MAX = 1000
NAME_CHARACTERS_MAX = 100
NAMED_MAX = 5
SLUG = re.compile(r"(?!\d+\Z)[A-Za-z0-9][A-Za-z0-9_-]{0,59}\Z", re.ASCII)


class InvalidSetSlug(DomainError):
    slug = "invalid-slug"
    detail = "{given} is no slug: 1 to 60 letters, digits, - and _, a letter or digit first, and not digits only."


class InvalidSetName(DomainError):
    slug = "invalid-name"
    detail = "A name has 1 to 100 characters that can be shown."


class TooManyMembers(DomainError):
    slug = "too-many-members"
    detail = "A set has at most 1000 members."


class MembersNotNamed(DomainError):
    slug = "missing-params"
    detail = "Say which cohorts: `cohorts` in the body, or `id` or `slug` in the query."


class CohortNotAvailable(DomainError):
    slug = "cohort-not-available-as-saas"
    detail = "Only cohorts that are available as SaaS can be in a set; these are not: {cohorts}."


class CohortInSet(DomainError):
    slug = "cohort-in-set"
    detail = "The cohort is sold with the sets {sets}. Take it out of them first."


class SetInUse(DomainError):
    slug = "set-in-use"
    detail = "The set is sold by {users}."


def checked_set(found: ResourceSet) -> ResourceSet:
    """The set as it is kept, each member once. Raises InvalidSetSlug, InvalidSetName, TooManyMembers."""
    members = tuple(dict.fromkeys(found.member_ids))
    if len(members) > MEMBERS_MAX:
        raise TooManyMembers
    return found.model_copy(
        update={"slug": _checked_slug(found.slug), "name": _checked_name(found.name), "member_ids": members}
    )


def checked_cohort(found: Cohort) -> Cohort:
    """The cohort as it is kept. Raises InvalidSetSlug, InvalidSetName."""
    return found.model_copy(update={"slug": _checked_slug(found.slug), "name": _checked_name(found.name)})


def check_sellable(cohorts: Iterable[Cohort]) -> None:
    """Raises CohortNotAvailable where one may not be in a set."""
    hidden = [found.slug for found in cohorts if not found.available_as_saas]
    if hidden:
        raise CohortNotAvailable(cohorts=", ".join(hidden[:NAMED_MAX]))


def check_in_no_set(cohort: Cohort, sets: Iterable[ResourceSet]) -> None:
    """Raises CohortInSet."""
    having = [found.slug for found in sets if cohort.id in found.member_ids]
    if having:
        raise CohortInSet(sets=", ".join(having[:NAMED_MAX]))


def check_unused(found: ResourceSet, plans: Sequence[Plan], prices: Sequence[ServicePrice]) -> None:
    """Raises SetInUse where a plan that is not deleted, or a price of a service, names the set, or will."""
    users = [
        f"the plan {plan.slug}"
        for plan in plans
        if any(one.status is not PlanStatus.DELETED and one.set_id(found.kind) == found.id for one in plan.versions())
    ]
    users += [f"the academy service {price.id}" for price in prices if found.id in price.set_ids.get(found.kind, ())]
    if users:
        raise SetInUse(users=", ".join(users[:NAMED_MAX]))


def _checked_slug(slug: str) -> str:
    if not SLUG.match(slug):
        raise InvalidSetSlug(given=repr(slug[:60]))
    return slug


def _checked_name(name: str) -> str:
    stripped = name.strip()
    if not 1 <= len(stripped) <= NAME_CHARACTERS_MAX or not is_shown(stripped):
        raise InvalidSetName
    return stripped
