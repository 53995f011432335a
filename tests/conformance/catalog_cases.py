"""Catalog rows, slugs and the uses of coupons."""

from __future__ import annotations

from chalicelib.books.catalog import coupon_store, store
from chalicelib.books.catalog.model import ResourceSet, SetKind
from chalicelib.dynamo.rows import Values
from chalicelib.dynamo.writes import Unexpected
from tests.conformance.cases import Case, rows_of
from tests.conformance.things import ACADEMY, NOW, USER
from tests.shop import a_coupon, a_price, a_service, an_item

SERVICE = store.new(a_service())
CHAT = a_service(title="Chat")
ITEM, PRICE = store.new(an_item()), store.new(a_price(ACADEMY))
MENTORS = ResourceSet(id=1, academy_id=ACADEMY, kind=SetKind.MENTORSHIP_SERVICE, slug="mentors", name="M")
SET = store.new(MENTORS)
LIMITED = a_coupon(NOW, ACADEMY, how_many_offers=2, how_many_per_person=2)
UNLIMITED = a_coupon(NOW, ACADEMY)
COUPON = store.new(LIMITED)
REVOKED = LIMITED.model_copy(update={"revoked": True})
AUTOMATIC = a_coupon(NOW, ACADEMY, auto=True, expires_at=NOW)
PLACE = store.automatic(AUTOMATIC)
CLAIM = store.slug_claim("plan", "basic", ident=1, academy_id=ACADEMY)
TOTAL, OWN = store.coupon_key(ACADEMY, "half"), coupon_store.person_coupon_key(USER, LIMITED.id)


def used(times: int) -> Values:
    return {**COUPON.values, "used": times}


CASES = (
    Case(of=store.automatic, name="where there is none", writes=[PLACE]),
    Case(of=store.automatic, name="another expiry", writes=[PLACE], before={PLACE.key: {"ref": "a", "ref_sk": "b"}}),
    Case(
        of=store.automatic,
        name="automatic no more",
        writes=[store.automatic(UNLIMITED)],
        before={PLACE.key: {"ref": "a", "ref_sk": "b"}},
        after={},
    ),
    Case(of=store.new, name="where there is none", writes=[SERVICE]),
    Case(of=store.new, name="a defect's second", writes=[SERVICE], before=rows_of(SERVICE), refused=Unexpected),
    Case(of=store.new, name="a coupon's slug again", writes=[COUPON], before=rows_of(COUPON), refused=store.SlugTaken),
    Case(
        of=store.new,
        name="a second price of a service",
        writes=[PRICE],
        before=rows_of(PRICE),
        refused=store.AcademyServiceExists,
    ),
    Case(
        of=store.changed,
        name="into another list",
        writes=[store.changed(a_service(private=True, owner_id=ACADEMY), version=1)],
        before=rows_of(SERVICE),
        after={
            SERVICE.key: {
                **SERVICE.values,
                "doc": a_service(private=True, owner_id=ACADEMY).model_dump_json(),
                "ref": f"SERVICES#private#{ACADEMY}",
                "version": 2,
            }
        },
    ),
    Case(
        of=store.changed,
        name="an item that no list had",
        writes=[store.changed(an_item(), version=1)],
        before={ITEM.key: {"doc": ITEM.values["doc"], "version": 1}},
        after={ITEM.key: {**ITEM.values, "ref": "ITEMS#0", "ref_sk": "0000000000000001", "version": 2}},
    ),
    Case(
        of=store.set_is_there,
        name="one that is",
        writes=[store.set_is_there(ACADEMY, SetKind.MENTORSHIP_SERVICE, 1)],
        before=rows_of(SET),
        after=rows_of(SET),
    ),
    Case(
        of=store.set_is_there,
        name="another academy's",
        writes=[store.set_is_there(ACADEMY + 1, SetKind.MENTORSHIP_SERVICE, 1)],
        before=rows_of(SET),
        refused=store.SetNotFound,
    ),
    Case(
        of=store.changed,
        name="over the one that was read",
        writes=[store.changed(CHAT, version=1)],
        before=rows_of(SERVICE),
        after={SERVICE.key: {**SERVICE.values, "doc": CHAT.model_dump_json(), "version": 2}},
    ),
    Case(
        of=store.changed,
        name="a coupon keeps its uses",
        writes=[store.changed(LIMITED, version=1)],
        before={TOTAL: used(1)},
        after={TOTAL: {**used(1), "version": 2}},
    ),
    Case(
        of=store.changed,
        name="a coupon that is revoked",
        writes=[store.changed(REVOKED, version=1)],
        before=rows_of(COUPON),
        after={TOTAL: {**COUPON.values, "doc": REVOKED.model_dump_json(), "version": 2, "revoked": True}},
    ),
    Case(
        of=store.changed,
        name="a coupon that is revoked no more",
        writes=[store.changed(LIMITED, version=1)],
        before={TOTAL: {**COUPON.values, "revoked": True}},
        after={TOTAL: {**COUPON.values, "version": 2}},
    ),
    Case(
        of=store.changed,
        name="changed since it was read",
        writes=[store.changed(CHAT, version=2)],
        before=rows_of(SERVICE),
        refused=store.ChangedMeanwhile,
    ),
    Case(
        of=store.changed,
        name="where there is none",
        writes=[store.changed(a_service(), version=1)],
        refused=store.ChangedMeanwhile,
    ),
    Case(of=store.slug_claim, name="where there is none", writes=[CLAIM]),
    Case(
        of=store.slug_claim,
        name="of nobody's",
        writes=[store.slug_claim("service", "chat", ident=1, academy_id=None)],
    ),
    Case(
        of=store.slug_claim,
        name="taken",
        writes=[store.slug_claim("plan", "basic", ident=2, academy_id=ACADEMY)],
        before=rows_of(CLAIM),
        refused=store.SlugTaken,
    ),
    Case(
        of=coupon_store.take_coupon,
        name="the first use",
        writes=coupon_store.take_coupon(LIMITED, USER),
        before=rows_of(COUPON),
        after={TOTAL: used(1), OWN: {"used": 1}},
    ),
    Case(
        of=coupon_store.take_coupon,
        name="the last use",
        writes=coupon_store.take_coupon(LIMITED, USER),
        before={TOTAL: used(1), OWN: {"used": 1}},
        after={TOTAL: used(2), OWN: {"used": 2}},
    ),
    Case(
        of=coupon_store.take_coupon,
        name="without a total",
        writes=coupon_store.take_coupon(UNLIMITED, USER),
        after={OWN: {"used": 1}},
    ),
    Case(
        of=coupon_store.take_coupon,
        name="that nobody may use",
        writes=coupon_store.take_coupon(a_coupon(NOW, ACADEMY, how_many_offers=0), USER),
        before=rows_of(COUPON),
        refused=coupon_store.CouponUsedUp,
    ),
    Case(
        of=coupon_store.take_coupon,
        name="used up by all",
        writes=coupon_store.take_coupon(LIMITED, USER),
        before={TOTAL: used(2)},
        refused=coupon_store.CouponUsedUp,
    ),
    Case(
        of=coupon_store.take_coupon,
        name="revoked since it was quoted",
        writes=coupon_store.take_coupon(LIMITED, USER),
        before={TOTAL: {**used(1), "revoked": True}},
        refused=coupon_store.CouponUsedUp,
    ),
    Case(
        of=coupon_store.take_coupon,
        name="used up by the person",
        writes=coupon_store.take_coupon(LIMITED, USER),
        before={TOTAL: used(1), OWN: {"used": 2}},
        refused=coupon_store.CouponUsedUp,
    ),
    Case(
        of=coupon_store.return_coupon,
        name="a use",
        writes=coupon_store.return_coupon(LIMITED, USER),
        before={TOTAL: used(2), OWN: {"used": 1}},
        after={TOTAL: used(1), OWN: {"used": 0}},
    ),
    Case(
        of=coupon_store.return_coupon,
        name="never taken",
        writes=coupon_store.return_coupon(LIMITED, USER),
        before={TOTAL: used(1), OWN: {"used": 0}},
        refused=Unexpected,
    ),
    Case(
        of=coupon_store.return_coupon,
        name="where there is none",
        writes=coupon_store.return_coupon(UNLIMITED, USER),
        refused=Unexpected,
    ),
)
