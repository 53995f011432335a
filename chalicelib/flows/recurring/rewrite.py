"""Rewrite: put a holding over the one that was read, with what happened to it, for support."""

from __future__ import annotations

from chalicelib.books.subscriptions.model import Holding
from chalicelib.books.subscriptions.queries import Held
from chalicelib.books.timeline import store as timeline
from chalicelib.books.timeline.model import Activity
from chalicelib.dynamo.writes import commit
from chalicelib.flows.context import Context
from chalicelib.flows.fulfillment.renew import changed_writes
from chalicelib.kernel.ids import derived


def rewrite(context: Context, held: Held, after: Holding, what: str) -> None:
    """One transaction: the holding, its claim where it is over by that, the activity. Raises HoldingMoved."""
    activity = Activity(
        id=derived(what, after.id, held.version),
        user_id=after.user_id,
        academy_id=after.terms.academy_id,
        kind=f"plan-{what}",
        at=context.now,
        facts={"holding": after.id, "plan": after.terms.plan_slug, "status": after.status},
    )
    commit(context.table, [*changed_writes(held, after), timeline.new(activity)])
