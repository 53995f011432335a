"""Catalog rows and their keys. A slug's claim row says which id has it; a coupon's row counts its uses in `used`.

The claim of a plan says which of its offers is live, and until when: `id`, and `ends_at` where it ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from chalicelib.books.catalog.model import (
    Cohort,
    Coupon,
    FinancingOption,
    Plan,
    PlanOffer,
    ResourceSet,
    Service,
    ServiceItem,
    ServicePrice,
    SetKind,
)
from chalicelib.books.catalog.referrals import is_own
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Path
from chalicelib.dynamo.rows import Key, Row, Scalar
from chalicelib.dynamo.writes import Check, Delete, Put, Refused, Update, absent, anyway, at_version, never, present
from chalicelib.kernel.documents import Document
from chalicelib.kernel.errors import DomainError, Kind
from chalicelib.kernel.ids import sortable

AUTOMATIC = "AUTOMATIC#"
NEVER = "9" * 16
"""When what does not expire expires: after all else."""


class SlugTaken(DomainError):
    slug = "slug-already-exists"
    detail = "The slug {taken} is taken."


class ChangedMeanwhile(DomainError):
    """The row was changed by somebody else between the read and the write."""

    kind = Kind.CONFLICT
    slug = "changed-meanwhile"
    detail = "This was changed by somebody else at the same time. Read it again."


class AcademyServiceExists(DomainError):
    slug = "academy-service-already-exists"
    detail = "The academy has a price of this service already: change that one."


class SetNotFound(DomainError):
    kind = Kind.NOT_FOUND
    slug = "set-not-found"
    detail = "The academy has no {kind} set {ident}."


class ActiveOfferExists(DomainError):
    slug = "active-plan-offer-exists"
    detail = "There is another plan offer for this plan that has not expired."


def slug_key(kind: str, slug: str) -> Key:
    return Key(f"SLUG#{kind}#{slug}", "SLUG")


def service_key(service_id: int) -> Key:
    return Key(f"SERVICE#{service_id}", "SERVICE")


def item_key(item_id: int) -> Key:
    return Key(f"ITEM#{item_id}", "ITEM")


def plan_key(academy_id: int, plan_id: int) -> Key:
    return Key(keys.academy(academy_id), keys.ordered("PLAN", plan_id))


def plan_id_of(key: Key) -> int:
    """The id in a plan's key."""
    return int(key.sk.rpartition("#")[2])


def academy_id_of(key: Key) -> int:
    """The academy in a plan's key."""
    return int(key.pk.rpartition("#")[2])


def plan_version_key(plan: Plan, version: int) -> Key:
    """Where a version of a plan stays that does not hold any more."""
    return Key(keys.academy(plan.academy_id), f"{keys.ordered('PLANVERSION', plan.id)}#{version:06d}")


def price_key(academy_id: int, service_id: int) -> Key:
    return Key(keys.academy(academy_id), f"PRICE#{service_id}")


def option_key(owner: int | None, option_id: int) -> Key:
    return Key(keys.academy(owner or 0), keys.ordered("OPTION", option_id))


def set_key(academy_id: int, kind: SetKind, set_id: int) -> Key:
    return Key(keys.academy(academy_id), keys.ordered(f"SET#{kind}", set_id))


def coupon_key(academy_id: int, slug: str) -> Key:
    return Key(keys.academy(academy_id), f"COUPON#{slug}")


def cohort_key(academy_id: int, cohort_id: int) -> Key:
    return Key(keys.academy(academy_id), keys.ordered("COHORT", cohort_id))


def set_slug_key(academy_id: int, kind: SetKind, slug: str) -> Key:
    return Key(keys.academy(academy_id), f"SLUG#SET#{kind}#{slug}")


def cohort_slug_key(academy_id: int, slug: str) -> Key:
    return Key(keys.academy(academy_id), f"SLUG#COHORT#{slug}")


def plan_offer_key(academy_id: int, offer_id: int) -> Key:
    return Key(keys.academy(academy_id), keys.ordered("PLANOFFER", offer_id))


def live_offer_key(academy_id: int, plan_id: int) -> Key:
    return Key(keys.academy(academy_id), f"CLAIM#PLANOFFER#{plan_id}")


def services_ref(row: Service) -> str:
    """The list that a service stands in: the public one, or its owner's private one (0: nobody's)."""
    return f"SERVICES#private#{row.owner_id or 0}" if row.private else "SERVICES#public"


def items_ref(owner: int | None) -> str:
    """The list of an academy's service items (None: everyone's)."""
    return f"ITEMS#{owner or 0}"


def prices_ref(academy_id: int) -> str:
    """The list of an academy's prices of services."""
    return f"PRICES#{academy_id}"


def listed(row: Document) -> dict[str, str]:
    """The attributes by which a row stands in a list of the index; none where its partition is the list."""
    match row:
        case Service():
            return {"ref": services_ref(row), "ref_sk": sortable(row.id)}
        case ServiceItem():
            return {"ref": items_ref(row.owner_id), "ref_sk": sortable(row.id)}
        case ServicePrice():
            return {"ref": prices_ref(row.academy_id), "ref_sk": sortable(row.id)}
        case Coupon():
            return {"ref": coupons_ref(row), "ref_sk": sortable(row.id)}
    return {}


def automatic_key(coupon: Coupon) -> Key:
    """Has an automatic coupon's place among the academy's automatic ones."""
    return Key(keys.academy(coupon.academy_id), f"{AUTOMATIC}{coupon.slug}")


def coupons_ref(row: Coupon) -> str:
    """The list that a coupon stands in: its person's, those that a person gives to others, or the academy's."""
    if row.allowed_user_id is not None:
        return persons_coupons_ref(row.allowed_user_id)
    return f"COUPONS#of#{row.seller_user_id}" if is_own(row) else academy_coupons_ref(row.academy_id)


def academy_coupons_ref(academy_id: int) -> str:
    return f"COUPONS#{academy_id}"


def persons_coupons_ref(user_id: int) -> str:
    return f"COUPONS#user#{user_id}"


def automatic_ref(academy_id: int) -> str:
    return f"COUPONS#automatic#{academy_id}"


def until(expires_at: datetime | None) -> str:
    """Text that sorts by expiry, in seconds."""
    return NEVER if expires_at is None else sortable(max(0, int(expires_at.timestamp())))


def key_of(row: Document) -> Key:
    """The key of a catalog row."""
    match row:
        case Service():
            return service_key(row.id)
        case ServiceItem():
            return item_key(row.id)
        case Plan():
            return plan_key(row.academy_id, row.id)
        case ServicePrice():
            return price_key(row.academy_id, row.service_id)
        case FinancingOption():
            return option_key(row.academy_id, row.id)
        case ResourceSet():
            return set_key(row.academy_id, row.kind, row.id)
        case Coupon():
            return coupon_key(row.academy_id, row.slug)
        case Cohort():
            return cohort_key(row.academy_id, row.id)
        case PlanOffer():
            return plan_offer_key(row.academy_id, row.id)
    raise TypeError(f"{type(row).__name__} is no catalog row")


def new(row: Document) -> Put:
    """Put a row that is not there yet."""
    values: dict[str, Any] = {"doc": row.model_dump_json(), "version": 1, **listed(row)}
    return Put(key=key_of(row), values=values, condition=absent, refused=_taken(row))


def changed(row: Document, *, version: int) -> Update:
    """The row over the one that was read at `version`. What is counted beside it, such as a coupon's uses, stays."""
    actions = [Path("doc").set(row.model_dump_json()), Path("version").set(version + 1)]
    actions += [Path(name).set(value) for name, value in listed(row).items()]
    if isinstance(row, Coupon):
        actions.append(Path("revoked").set(True) if row.revoked else Path("revoked").remove())
    return Update(
        key=key_of(row),
        actions=tuple(actions),
        condition=at_version(version),
        refused=lambda old: ChangedMeanwhile(),
    )


def automatic(coupon: Coupon) -> Put | Delete:
    """An automatic coupon's place in the order of their expiry, or that it has none. Written with the coupon's row.

    A purchase reads those that have not expired, however many coupons the academy has or had.
    """
    key = automatic_key(coupon)
    refused = never("this write has no condition")
    if not coupon.is_automatic:
        return Delete(key=key, condition=anyway, refused=refused)
    values = {
        "ref": automatic_ref(coupon.academy_id),
        "ref_sk": f"{until(coupon.expires_at)}#{sortable(coupon.id)}",
    }
    return Put(key=key, values=values, condition=anyway, refused=refused)


def slug_claim(kind: str, slug: str, *, ident: int, academy_id: int | None) -> Put:
    values: dict[str, Any] = {"id": ident}
    if academy_id is not None:
        values["academy_id"] = academy_id
    return Put(key=slug_key(kind, slug), values=values, condition=absent, refused=lambda old: SlugTaken(taken=slug))


def named_ref(kind: SetKind | None, slug: str) -> str:
    """The list of the academies that have a set of a kind (None: a cohort) with this slug."""
    return f"NAMED#{kind or ''}#{slug}"


def own_slug_claim(row: ResourceSet | Cohort) -> Put:
    """Slugs of sets and cohorts are their academy's, those of each kind for themselves."""
    kind = None if isinstance(row, Cohort) else row.kind
    return Put(
        key=_own_slug_key(row),
        values={"id": row.id, "ref": named_ref(kind, row.slug), "ref_sk": sortable(row.academy_id)},
        condition=absent,
        refused=lambda old: SlugTaken(taken=row.slug),
    )


def own_slug_released(row: ResourceSet | Cohort) -> Delete:
    """With the change or the removal of the row that has the slug. Rows of early releases have not claimed theirs."""
    return Delete(
        key=_own_slug_key(row),
        condition=absent | (Path("id") == row.id),
        refused=never(f"the slug {row.slug} is claimed by the row that has it"),
    )


def offer_claimed(offer: PlanOffer, *, now: datetime) -> Put:
    """From now on this is the plan's live offer. Refused with ActiveOfferExists where another one is."""
    values: dict[str, Scalar] = {"id": offer.id}
    if offer.expires_at is not None:
        values["ends_at"] = int(offer.expires_at.timestamp())
    return Put(
        key=live_offer_key(offer.academy_id, offer.original_plan_id),
        values=values,
        condition=absent | (Path("id") == offer.id) | (Path("ends_at") <= int(now.timestamp())),
        refused=lambda old: ActiveOfferExists(),
    )


def offer_released(offer: PlanOffer) -> Delete:
    """The plan's live offer is so no longer. Refused where it ended meanwhile and another one is."""
    return Delete(
        key=live_offer_key(offer.academy_id, offer.original_plan_id),
        condition=Path("id") == offer.id,
        refused=lambda old: ChangedMeanwhile(),
    )


def past_version(plan: Plan) -> Put:
    """Keep a version that something else takes the place of, so that what was sold under it can be shown."""
    return Put(
        key=plan_version_key(plan, plan.version),
        values={"doc": plan.model_dump_json()},
        condition=anyway,
        refused=never("this write has no condition"),
    )


def still_there(key: Key) -> Check:
    """A row that something begins to name is not taken away at the same time."""
    return Check(key=key, condition=present, refused=lambda old: ChangedMeanwhile())


def slug_given_up(kind: str, slug: str, *, ident: int) -> Delete:
    """The slug is free again. Only whoever has it gives it up."""
    return Delete(key=slug_key(kind, slug), condition=Path("id") == ident, refused=lambda old: ChangedMeanwhile())


def removed(row: Document, *, version: int) -> Delete:
    """Take away the row that was read at `version`."""
    return Delete(key=key_of(row), condition=at_version(version), refused=lambda old: ChangedMeanwhile())


def set_is_there(academy_id: int, kind: SetKind, set_id: int) -> Check:
    """The academy has the set that something else is about to name."""
    return Check(
        key=set_key(academy_id, kind, set_id),
        condition=present,
        refused=lambda old: SetNotFound(kind=kind, ident=set_id),
    )


def links_key(academy_id: int) -> Key:
    """Counts how often an academy's rows changed what they name: plans and prices their sets, sets their cohorts."""
    return Key(keys.academy(academy_id), "LINKS")


def links_moved(academy_id: int) -> Update:
    """A plan, or a price, names something else now. Written with every such change."""
    return Update(
        key=links_key(academy_id),
        actions=(Path("version").add(1),),
        condition=anyway,
        refused=never("this write has no condition"),
    )


def links_as_read(academy_id: int, *, version: int) -> Check:
    """No plan names anything else than when the academy's plans were read: what none of them names may go."""
    return Check(key=links_key(academy_id), condition=at_version(version), refused=lambda old: ChangedMeanwhile())


def links_moved_from(academy_id: int, *, version: int) -> Update:
    """As `links_moved`, where nothing moved since they were read: who look at each other's rows are done in turn."""
    return Update(
        key=links_key(academy_id),
        actions=(Path("version").add(1),),
        condition=at_version(version),
        refused=lambda old: ChangedMeanwhile(),
    )


def claimed(row: Row) -> tuple[int, int | None]:
    """The id, and the academy where there is one, that a slug's claim row names."""
    values: Mapping[str, Any] = row.values
    return values["id"], values.get("academy_id")


def _own_slug_key(row: ResourceSet | Cohort) -> Key:
    if isinstance(row, Cohort):
        return cohort_slug_key(row.academy_id, row.slug)
    return set_slug_key(row.academy_id, row.kind, row.slug)


def _taken(row: Document) -> Refused:
    if isinstance(row, Coupon):
        return lambda old: SlugTaken(taken=row.slug)
    if isinstance(row, ServicePrice):
        return lambda old: AcademyServiceExists()
    return never(f"two {type(row).__name__} rows with one id")
