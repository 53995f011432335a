"""Cases of the writes with which a subscription goes to another plan."""

from __future__ import annotations

from chalicelib.books.subscriptions import store
from tests.conformance.cases import Case, rows_of
from tests.conformance.things import USER, a_subscription, terms

OTHER_PLAN = 1002
BEFORE = a_subscription()
PLANNED = a_subscription(planned=terms().model_copy(update={"plan_id": OTHER_PLAN}))
AFTER = a_subscription(terms=terms().model_copy(update={"plan_id": OTHER_PLAN}))
OWN = store.claim_plan(USER, BEFORE.terms.plan_id, invoice_id=BEFORE.id, financed=False)
COMING = store.claim_plan(USER, OTHER_PLAN, invoice_id=BEFORE.id, financed=False)
OF_ANOTHER = store.claim_plan(USER, OTHER_PLAN, invoice_id=999, financed=False)
FINANCED = store.claim_plan(USER, OTHER_PLAN, invoice_id=999, financed=True)

CASES = (
    Case(
        of=store.claims_moved,
        name="to another plan",
        writes=store.claims_moved(BEFORE, AFTER),
        before=rows_of(OWN),
    ),
    Case(
        of=store.claims_moved,
        name="to one that is planned",
        writes=store.claims_moved(BEFORE, PLANNED),
        before=rows_of(OWN),
    ),
    Case(
        of=store.claims_moved,
        name="to the one that was planned",
        writes=store.claims_moved(PLANNED, AFTER),
        before=rows_of(OWN, COMING),
    ),
    Case(
        of=store.claims_moved,
        name="to one that was bought",
        writes=store.claims_moved(BEFORE, AFTER),
        before=rows_of(OWN, OF_ANOTHER),
        refused=store.PlanAlreadyBought,
    ),
    Case(
        of=store.claims_moved,
        name="to one that is paid by instalments",
        writes=store.claims_moved(BEFORE, AFTER),
        before=rows_of(OWN, FINANCED),
        refused=store.PlanAlreadyFinanced,
    ),
)
