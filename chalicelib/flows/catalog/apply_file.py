"""Apply a file: say what it changes of an academy's offer, and change it.

Every row is made or changed by the journey that staff's own routes call, in a transaction and with an audit row of its
own. So a file that is refused half-way leaves whole rows, and applying it again does what is left; a file that is
applied twice changes nothing the second time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import count

from chalicelib.flows.catalog.draft import Draft
from chalicelib.flows.catalog.draft_plans import put_coupon, put_offer, put_plan
from chalicelib.flows.catalog.draft_things import (
    put_cohort,
    put_item,
    put_option,
    put_price,
    put_service,
    put_set,
    put_settings,
)
from chalicelib.flows.catalog.edit import Staff
from chalicelib.flows.catalog.file import SECTIONS, Difference, Entry, EntryRefused
from chalicelib.flows.catalog.whole import read_whole
from chalicelib.flows.context import Context
from chalicelib.kernel.errors import DomainError
from chalicelib.kernel.ids import RANDOM_BITS, RandomBits

_PUT: Mapping[str, Callable[[Draft, Entry], None]] = {
    "settings": put_settings,
    "services": put_service,
    "cohorts": put_cohort,
    "sets": put_set,
    "academy_services": put_price,
    "service_items": put_item,
    "financing_options": put_option,
    "plans": put_plan,
    "coupons": put_coupon,
    "plan_offers": put_offer,
}


def drafted(context: Context, staff: Staff, entries: Sequence[Entry]) -> Draft:
    """What the entries make of the academy's offer, as far as it is known before it is tried. Nothing is written.

    Raises EntryRefused for the first entry that cannot be, AcademyNotFound.
    """
    context = replace(context, random_bits=_one_by_one(context.random_bits))
    draft = Draft(context, staff, read_whole(context, staff.academy_id))
    for entry in sorted(entries, key=lambda one: SECTIONS.index(one.section)):
        try:
            _PUT[entry.section](draft, entry)
        except DomainError as refusal:
            raise EntryRefused(refusal, _named(entry), done=0, total=len(entries)) from refusal
    return draft


def apply(differences: Sequence[Difference]) -> None:
    """Write them, one after the other. Raises EntryRefused for one that somebody was faster than, or that is refused
    for what only its own transaction knows; those before it are written then.
    """
    for done, difference in enumerate(differences):
        try:
            difference.write()
        except DomainError as refusal:
            raise EntryRefused(refusal, _named(difference.entry), done=done, total=len(differences)) from refusal


def _one_by_one(random_bits: RandomBits) -> RandomBits:
    """From a random number on: a file's rows are audited at one instant, and no two of these may have one id."""
    numbers = count(random_bits(RANDOM_BITS))
    return lambda bits: next(numbers) % 2**bits


def _named(entry: Entry) -> str:
    return f"{entry.place} ({entry.ref})"
