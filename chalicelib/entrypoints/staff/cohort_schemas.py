"""A cohort as staff see it."""

from __future__ import annotations

from chalicelib.books.catalog.model import Cohort
from chalicelib.entrypoints._http import Output


class CohortOut(Output):
    id: int
    slug: str
    name: str
    available_as_saas: bool
    syllabus: str | None


def cohort_out(found: Cohort) -> CohortOut:
    return CohortOut(
        id=found.id,
        slug=found.slug,
        name=found.name,
        available_as_saas=found.available_as_saas,
        syllabus=found.syllabus,
    )
