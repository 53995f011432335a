"""What a person may do by what they own: the permission groups of services."""

from __future__ import annotations

from chalicelib.entrypoints._auth import academy_id_of
from chalicelib.entrypoints._http import Access, Answer, Call, Output, route
from chalicelib.entrypoints.academy.queries import AcademyQuery
from chalicelib.entrypoints.academy.schemas import PermissionOut
from chalicelib.flows.people.permissions import held_groups


class HeldGroupOut(Output):
    """A group that the person has at one academy. It means nothing at another."""

    academy: int
    name: str
    permissions: list[PermissionOut]


class PermissionsOut(Output):
    groups: list[HeldGroupOut]


@route("GET", "/v1/payments/me/permissions", access=Access.PERSON, answers={200: PermissionsOut})
def list_permissions(call: Call, query: AcademyQuery) -> Answer:
    """The groups of the services of which the person can use something now, over all academies unless one is named."""
    found = held_groups(call.runtime.table, call.person.user_id, academy_id=academy_id_of(call, None), now=call.now)
    groups = [
        HeldGroupOut(
            academy=group.academy_id,
            name=group.name,
            permissions=[PermissionOut(name=one.name, codename=one.codename) for one in group.permissions],
        )
        for group in found
    ]
    return Answer(200, PermissionsOut(groups=groups))
