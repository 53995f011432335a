"""What an academy settles for all that it sells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from chalicelib.books.catalog.store import ChangedMeanwhile
from chalicelib.books.identity import queries as identity
from chalicelib.books.identity.model import Academy, AcademyChange, AcademyCurrencyNotFound
from chalicelib.entrypoints._auth import AcademyRequired
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints.academy.schemas import AcademyOut, academy_out
from chalicelib.entrypoints.staff.inputs import CurrencyCode, StaffInput, omitted, staff_of
from chalicelib.flows.catalog.set_up import academy_changed

PATH = "/v1/payments/academy/settings"


class SettingsBody(StaffInput):
    """What is left out stays."""

    slugs: ClassVar[Mapping[str, str]] = {"main_currency": "currency-not-found"}

    main_currency: CurrencyCode = omitted()


class SettingsOut(Output):
    """`main_currency` is null until it is chosen."""

    academy: AcademyOut
    main_currency: str | None


@route(
    "GET",
    PATH,
    access=Access.STAFF,
    capability="crud_plan",
    answers={200: SettingsOut},
    errors=(AcademyRequired,),
)
def get_settings(call: Call) -> Answer:
    """The academy's settings."""
    return Answer(200, _settings_out(identity.academy(call.runtime.table, staff_of(call).academy_id)))


@route(
    "PUT",
    PATH,
    access=Access.STAFF,
    capability="crud_plan",
    answers={200: SettingsOut},
    errors=(AcademyRequired, AcademyCurrencyNotFound, ChangedMeanwhile),
)
def change_settings(call: Call, body: SettingsBody) -> Answer:
    """Change the academy's settings. What has a price keeps its currency."""
    change = AcademyChange(main_currency=body.main_currency)
    return Answer(200, _settings_out(academy_changed(call.runtime.context(call.now), staff_of(call, body), change)))


def _settings_out(academy: Academy) -> SettingsOut:
    return SettingsOut(academy=academy_out(academy), main_currency=academy.main_currency)
