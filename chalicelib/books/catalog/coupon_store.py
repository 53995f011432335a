"""Uses of coupons, counted by conditional writes: in total on the coupon's row, and by person."""

from __future__ import annotations

from chalicelib.books.catalog.model import Coupon
from chalicelib.books.catalog.store import coupon_key
from chalicelib.dynamo import keys
from chalicelib.dynamo.expressions import Condition, Path
from chalicelib.dynamo.rows import Key
from chalicelib.dynamo.writes import Refused, Update, never
from chalicelib.kernel.errors import DomainError, Kind


class CouponUsedUp(DomainError):
    kind = Kind.CONFLICT
    slug = "coupon-used-up"
    detail = "The coupon {coupon} was used up meanwhile. Check the purchase again to see its price without it."


def person_coupon_key(user_id: int, coupon_id: int) -> Key:
    """Counts a person's uses of a coupon."""
    return Key(keys.user(user_id), f"CLAIM#COUPON#{coupon_id}")


def take_coupon(coupon: Coupon, user_id: int) -> list[Update]:
    """Take one use of a coupon, in total (where that is limited) and for the person. Raises CouponUsedUp.

    A coupon without a total limit is not counted, so that a sale does not queue at one row. One that was revoked since
    it was quoted is used up.
    """
    used_up: Refused = lambda old: CouponUsedUp(coupon=coupon.slug)  # noqa: E731  # one meaning for both rows
    person = _below(coupon.how_many_per_person)
    takes = [(person_coupon_key(user_id, coupon.id), person)]
    if coupon.how_many_offers >= 0:
        usable = Path("doc").exists() & Path("revoked").does_not_exist()
        takes.append((coupon_key(coupon.academy_id, coupon.slug), usable & _below(coupon.how_many_offers)))
    return [
        Update(key=key, actions=(Path("used").add(1),), condition=condition, refused=used_up)
        for key, condition in takes
    ]


def return_coupon(coupon: Coupon, user_id: int) -> list[Update]:
    """Give one use back. The caller makes sure, by a condition on its invoice, that it was taken and not returned."""
    counted = [person_coupon_key(user_id, coupon.id)]
    if coupon.how_many_offers >= 0:
        counted.append(coupon_key(coupon.academy_id, coupon.slug))
    return [
        Update(
            key=key,
            actions=(Path("used").add(-1),),
            condition=Path("used") > 0,
            refused=never(f"the use of coupon {coupon.slug} that is given back was taken"),
        )
        for key in counted
    ]


def _below(limit: int) -> Condition:
    """Fewer uses than the limit; a row that was never counted has none."""
    counted: Condition = Path("used") < limit
    return counted | Path("used").does_not_exist() if limit > 0 else counted
