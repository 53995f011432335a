"""Which module serves which path, by which methods: so that a cold start imports only what the first request needs.

The routes say the same of themselves when they are imported; a test holds the two against each other. A path whose
module is wrong or missing here fails that test, not a customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_BY_MODULE: Mapping[str, Mapping[str, str]] = {
    "academy.account": {
        "/v1/payments/me/service/consumable": "GET",
        "/v1/payments/me/invoice": "GET",
        "/v1/payments/me/invoice/{invoice_id}": "GET",
        "/v1/payments/me/subscription": "GET",
    },
    "academy.holdings": {
        "/v1/payments/me/subscription/{subscription_id}": "GET",
        "/v1/payments/me/subscription/{subscription_id}/cancel": "PUT",
        "/v1/payments/me/subscription/{subscription_id}/reactivate": "PUT",
        "/v1/payments/me/subscription/{subscription_id}/pause": "PUT",
        "/v1/payments/me/subscription/{subscription_id}/resume": "PUT",
        "/v1/payments/me/planfinancing/{financing_id}": "GET",
        "/v1/payments/me/planfinancing/{financing_id}/cancel": "PUT",
        "/v1/payments/me/planfinancing/{financing_id}/reactivate": "PUT",
        "/v1/payments/me/planfinancing/{financing_id}/pause": "PUT",
        "/v1/payments/me/planfinancing/{financing_id}/resume": "PUT",
    },
    "academy.payments": {
        "/v1/payments/me/subscription/{subscription_id}/pay": "PUT",
        "/v1/payments/me/subscription/{subscription_id}/renew": "PUT",
        "/v1/payments/me/planfinancing/{financing_id}/pay": "PUT",
        "/v1/payments/me/planfinancing/{financing_id}/renew": "PUT",
        "/v1/payments/me/planfinancing/{financing_id}/certificate": "GET",
        "/v1/payments/recover/{token}": "GET",
    },
    "academy.cards": {
        "/v2/payments/card": "GET POST",
    },
    "academy.catalog": {
        "/v1/payments/service": "GET",
        "/v1/payments/serviceitem": "GET",
        "/v1/payments/plan": "GET",
        "/v1/payments/plan/{plan_ref}": "GET",
    },
    "academy.checkout": {
        "/v2/payments/checking": "PUT",
        "/v2/payments/pay": "POST",
        "/v1/payments/me/bag/{bag_id}/quote": "GET",
    },
    "academy.coupons": {
        "/v1/payments/coupon": "GET",
        "/v1/payments/me/coupon": "GET",
        "/v1/payments/me/user/coupons": "GET",
        "/v1/payments/me/user/coupons/{coupon_slug}": "PUT",
    },
    "academy.consumption": {
        "/v1/payments/me/service/{service_slug}/consumptionsession": "GET PUT",
        "/v1/payments/me/service/{service_slug}/consumptionsession/{session_ref}": "GET PUT",
        "/v1/payments/me/service/{service_slug}/consumptionsession/{session_ref}/cancel": "PUT",
    },
    "academy.currencies": {
        "/v1/payments/currency": "GET",
    },
    "academy.plan_change": {
        "/v1/payments/me/subscription/{subscription_id}/change": "PUT",
        "/v1/payments/me/subscription/{subscription_id}/change/preview": "GET",
        "/v1/payments/me/planfinancing/{financing_id}/change": "PUT",
        "/v1/payments/me/planfinancing/{financing_id}/change/preview": "GET",
    },
    "academy.plan_offers": {
        "/v1/payments/planoffer": "GET",
    },
    "academy.permissions": {
        "/v1/payments/me/permissions": "GET",
    },
    "academy.statement": {
        "/v1/payments/me/statement": "GET",
    },
    "academy.identity": {
        "/v1/auth/invite/{token}/accept": "POST",
        "/v1/auth/login": "POST",
        "/v1/auth/logout": "POST",
    },
    "academy.teams": {
        "/v2/payments/subscription/{subscription_id}/billing-team": "GET PUT",
        "/v2/payments/subscription/{subscription_id}/billing-team/seat": "GET PUT",
        "/v2/payments/subscription/{subscription_id}/billing-team/seat/{seat_id}": "DELETE GET",
        "/v2/payments/plan-financing/{financing_id}/team": "GET",
        "/v2/payments/plan-financing/{financing_id}/team/seat": "GET PUT",
        "/v2/payments/plan-financing/{financing_id}/team/seat/{seat_id}": "DELETE GET",
    },
    "academy.units": {
        "/v1/payments/consumable/checkout": "POST",
    },
    "academy.refunds": {
        "/v1/payments/academy/invoice/{invoice_id}/refund": "POST",
    },
    "docs": {
        "/health": "GET",
        "/openapi.json": "GET",
        "/docs": "GET",
        "/docs/errors": "GET",
        "/docs/{asset}": "GET",
    },
    "ops.drift": {
        "/ops/drift": "GET",
    },
    "ops.identity": {
        "/ops/academies": "GET POST",
        "/ops/academies/{academy_id}": "GET PUT",
        "/ops/academies/{academy_id}/staff": "GET POST",
        "/ops/academies/{academy_id}/staff/{user_id}": "DELETE",
        "/ops/users": "GET",
        "/ops/users/{user_id}": "GET",
        "/ops/users/{user_id}/tokens": "DELETE GET POST",
        "/ops/users/{user_id}/tokens/{token}": "DELETE",
        "/ops/api-keys": "GET POST",
        "/ops/api-keys/{key_id}": "DELETE",
    },
    "ops.disputes": {
        "/ops/disputes/{dispute_id}/evidence": "GET",
    },
    "ops.reputation": {
        "/ops/users/{user_id}/reputation": "GET PUT",
    },
    "ops.inbox": {
        "/ops/inbox": "GET",
        "/ops/inbox/{event_id}": "GET",
        "/ops/inbox/{event_id}/replay": "POST",
    },
    "staff.consumables": {
        "/v1/payments/academy/service/consumable": "GET",
        "/v1/payments/academy/user/{user_id}/consumable": "POST",
        "/v1/payments/academy/user/{user_id}/consumable/revoke": "POST",
    },
    "staff.academy_services": {
        "/v1/payments/academy/academyservice": "GET POST",
        "/v1/payments/academy/academyservice/{service_ref}": "GET PUT",
    },
    "staff.catalog": {
        "/v1/payments/academy/catalog/apply": "POST",
        "/v1/payments/academy/catalog/export": "GET",
    },
    "staff.definitions": {
        "/v1/payments/academy/service": "GET POST",
        "/v1/payments/academy/service/{service_ref}": "GET PUT",
    },
    "staff.service_items": {
        "/v1/payments/academy/serviceitem": "GET POST",
        "/v1/payments/academy/serviceitem/{item_id}": "GET PUT",
    },
    "staff.coupons": {
        "/v1/payments/academy/coupon": "GET POST",
        "/v1/payments/academy/coupon/{coupon_slug}": "DELETE GET PUT",
    },
    "staff.cohort_sets": {
        "/v1/payments/academy/cohortset": "GET POST",
        "/v1/payments/academy/cohortset/{set_ref}": "DELETE GET PUT",
        "/v1/payments/academy/cohortset/{set_ref}/cohort": "DELETE GET PUT",
    },
    "staff.cohorts": {
        "/v1/admissions/academy/cohort": "GET POST",
        "/v1/admissions/academy/cohort/{cohort_ref}": "GET PUT",
    },
    "staff.event_sets": {
        "/v1/payments/academy/eventtypeset": "GET POST",
        "/v1/payments/academy/eventtypeset/{set_ref}": "DELETE GET PUT",
    },
    "staff.mentorship_sets": {
        "/v1/payments/academy/mentorshipserviceset": "GET POST",
        "/v1/payments/academy/mentorshipserviceset/{set_ref}": "DELETE GET PUT",
    },
    "staff.plan_offers": {
        "/v1/payments/academy/planoffer": "GET POST",
        "/v1/payments/academy/planoffer/{offer_id}": "DELETE GET PUT",
    },
    "staff.settings": {
        "/v1/payments/academy/settings": "GET PUT",
    },
    "staff.financing": {
        "/v1/payments/academy/financingoption": "GET POST",
        "/v1/payments/academy/financingoption/{option_id}": "DELETE GET PUT",
    },
    "staff.history": {
        "/v1/payments/academy/audit": "GET",
        "/v1/payments/academy/user/{user_id}/timeline": "GET",
    },
    "staff.holdings": {
        "/v1/payments/academy/subscription": "GET",
        "/v1/payments/academy/subscription/{subscription_id}": "GET",
        "/v1/payments/academy/planfinancing": "GET",
        "/v1/payments/academy/planfinancing/{financing_id}": "GET",
    },
    "staff.invoices": {
        "/v1/payments/academy/invoice": "GET",
        "/v1/payments/academy/invoice/{invoice_id}": "GET",
    },
    "staff.plans": {
        "/v1/payments/academy/plan": "GET POST",
        "/v1/payments/academy/plan/{plan_ref}": "DELETE GET PUT",
    },
    "staff.plan_items": {
        "/v1/payments/academy/plan/serviceitem": "DELETE POST",
    },
    "staff.students": {
        "/v1/auth/academy/student": "POST",
        "/v1/auth/academy/invite": "GET",
        "/v1/auth/academy/invite/{invite_id}": "DELETE",
        "/v1/auth/academy/invite/{invite_id}/resend": "POST",
    },
    "stripe_webhook": {
        "/stripe/webhook": "POST",
    },
}


def _by_path() -> Mapping[str, tuple[str, tuple[str, ...]]]:
    return MappingProxyType(
        {
            path: (f"chalicelib.entrypoints.{module}", tuple(methods.split()))
            for module, served in _BY_MODULE.items()
            for path, methods in served.items()
        }
    )


SERVED = _by_path()
"""Path to its module and methods."""
