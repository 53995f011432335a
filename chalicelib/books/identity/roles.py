"""Which capabilities there are, and which of them a role brings."""

from __future__ import annotations

from collections.abc import Iterable

from chalicelib.kernel.errors import DomainError

CAPABILITIES = (
    "read_subscription",
    "crud_subscription",
    "crud_plan",
    "read_service",
    "crud_service",
    "read_academyservice",
    "crud_academyservice",
    "read_paymentmethod",
    "crud_paymentmethod",
    "read_invoice",
    "issue_refund",
    "read_consumable",
    "crud_consumable",
    "crud_student",
    "crud_academy_payment_settings",
)

ROLES = {
    "billing_administrator": ("read_subscription", "crud_subscription", "crud_plan", "read_invoice"),
    "academy_admin": CAPABILITIES,
    "support_staff": ("read_subscription", "read_invoice", "read_consumable"),
}

NO_ROLE = "custom"
"""The role of whoever has capabilities by name only."""


class UnknownRole(DomainError):
    slug = "unknown-role"
    detail = "There is no role {role}; there are billing_administrator, academy_admin and support_staff."


class UnknownCapability(DomainError):
    slug = "unknown-capability"
    detail = "There is no capability {capability}."


class NothingAllowed(DomainError):
    slug = "role-or-capabilities-required"
    detail = "Staff need a role or at least one capability."


def check(*, role: str, capabilities: Iterable[str]) -> None:
    """Raises UnknownRole, UnknownCapability or, where it would allow nothing at all, NothingAllowed."""
    if role != NO_ROLE and role not in ROLES:
        raise UnknownRole(role=repr(role[:60]))
    for capability in capabilities:
        if capability not in CAPABILITIES:
            raise UnknownCapability(capability=repr(capability[:60]))
    if not allowed(role=role, capabilities=capabilities):
        raise NothingAllowed


def allowed(*, role: str, capabilities: Iterable[str]) -> tuple[str, ...]:
    """What a role and further capabilities allow together, in the order of CAPABILITIES.

    Names that this release does not know, such as those of a newer one, allow nothing.
    """
    given = {*ROLES.get(role, ()), *capabilities}
    return tuple(capability for capability in CAPABILITIES if capability in given)
