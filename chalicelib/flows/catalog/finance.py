"""Finance: an academy makes, changes or takes away an option to pay a plan by instalments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from chalicelib.books.catalog import store
from chalicelib.books.catalog.financing import OptionInUse, OptionNotFound, checked_option
from chalicelib.books.catalog.model import FinancingOption, Plan, PlanStatus
from chalicelib.flows.catalog.edit import Staff, changed, made, removed
from chalicelib.flows.context import Context

NAMED_MAX = 5


def option_made(context: Context, staff: Staff, new: FinancingOption) -> FinancingOption:
    """Put a new option. Raises what checked_option raises."""
    return made(context, staff, _subject(new.id), checked_option(new))


def option_changed(context: Context, staff: Staff, option_id: int, changes: Mapping[str, Any]) -> FinancingOption:
    """Change an option, for whoever buys from now on. Raises OptionNotFound, and what making one does."""
    return changed(
        context,
        staff,
        _subject(option_id),
        FinancingOption,
        store.option_key(staff.academy_id, option_id),
        lambda before: checked_option(before.model_copy(update=dict(changes))),
        missing=OptionNotFound,
    )


def option_removed(context: Context, staff: Staff, option_id: int) -> None:
    """Take away an option that no plan is sold by. Raises OptionNotFound, OptionInUse."""
    removed(
        context,
        staff,
        _subject(option_id),
        FinancingOption,
        store.option_key(staff.academy_id, option_id),
        missing=OptionNotFound,
        check=_unused,
    )


def _unused(option: FinancingOption, plans: Sequence[Plan]) -> None:
    """Raises OptionInUse where a plan names it that was not deleted, or will."""
    users = [
        plan.slug
        for plan in plans
        if any(option.id in version.financing_option_ids and _is_alive(version) for version in plan.versions())
    ]
    if users:
        raise OptionInUse(plans=", ".join(users[:NAMED_MAX]))


def _is_alive(plan: Plan) -> bool:
    return plan.status is not PlanStatus.DELETED


def _subject(option_id: int) -> str:
    return f"financing-option:{option_id}"
