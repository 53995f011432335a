"""What a plan offer may be. Pure."""

from __future__ import annotations

from datetime import UTC

from chalicelib.books.catalog.model import PlanOffer
from chalicelib.kernel.errors import DomainError, Kind

LANGUAGES_MAX = 50


class PlanOfferNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "not-found"
    detail = "Plan offer not found"


class SuggestsItself(DomainError):
    slug = "suggested-plan-is-original"
    detail = "A plan offer suggests another plan than the one that it is for."


class LanguageTwice(DomainError):
    slug = "translation-twice"
    detail = "There are two translations into {lang}."


def checked_offer(offer: PlanOffer) -> PlanOffer:
    """The offer as it is kept: it ends at a whole second, so that its claim ends with it.

    Raises SuggestsItself, LanguageTwice.
    """
    if offer.suggested_plan_id == offer.original_plan_id:
        raise SuggestsItself
    seen: set[str] = set()
    for text in offer.translations:
        if text.lang.lower() in seen:
            raise LanguageTwice(lang=text.lang)
        seen.add(text.lang.lower())
    ends = None if offer.expires_at is None else offer.expires_at.astimezone(UTC).replace(microsecond=0)
    return offer.model_copy(update={"expires_at": ends})
