"""Stripe's objects at birth, in full shape for the pinned API version; the verbs then change their fields."""

from datetime import UTC, datetime
from typing import Any

from local.stripe_standin.call import Call
from local.stripe_standin.cards import Card

Json = dict[str, Any]


def no_address() -> Json:
    return {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}


def billing_details(given: Json | None) -> Json:
    details: Json = {"address": no_address(), "email": None, "name": None, "phone": None, "tax_id": None}
    for key, value in (given or {}).items():
        details[key] = {**no_address(), **(value or {})} if key == "address" else value
    return details


def customer(call: Call) -> Json:
    ident = call.store.new_id("cus", 14)
    return {
        "id": ident,
        "object": "customer",
        "address": None,
        "balance": 0,
        "created": call.now,
        "currency": None,
        "customer_account": None,
        "default_source": None,
        "delinquent": False,
        "description": None,
        "discount": None,
        "email": None,
        "invoice_prefix": ident[-8:].upper(),
        "invoice_settings": {
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        "livemode": False,
        "metadata": {},
        "name": None,
        "next_invoice_sequence": 1,
        "phone": None,
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
        "test_clock": None,
    }


def payment_method(call: Call, card: Card) -> Json:
    today = datetime.fromtimestamp(call.now, UTC)
    return {
        "id": call.store.new_id("pm"),
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(None),
        "card": {
            "brand": card.brand,
            "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": None},
            "country": card.country,
            "display_brand": card.brand,
            "exp_month": today.month,
            "exp_year": today.year + 1,
            "fingerprint": card.fingerprint,
            "funding": card.funding,
            "generated_from": None,
            "last4": card.last4,
            "networks": {"available": [card.brand], "preferred": None},
            "regulated_status": "unregulated",
            "three_d_secure_usage": {"supported": True},
            "wallet": None,
        },
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def _intent(call: Call, prefix: str, kind: str) -> Json:
    """What payment and setup intents have in common."""
    ident = call.store.new_id(prefix)
    return {
        "id": ident,
        "object": kind,
        "application": None,
        "automatic_payment_methods": None,
        "cancellation_reason": None,
        "client_secret": call.store.new_id(f"{ident}_secret"),
        "created": call.now,
        "customer": None,
        "customer_account": None,
        "description": None,
        "excluded_payment_method_types": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
    }


def setup_intent(call: Call) -> Json:
    card_options = {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
    return {
        **_intent(call, "seti", "setup_intent"),
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "mandate": None,
        "payment_method_options": {"card": card_options},
        "single_use_mandate": None,
        "usage": "off_session",
    }


def payment_intent(call: Call, *, amount: int, currency: str) -> Json:
    card_options = {
        "installments": None,
        "mandate_options": None,
        "network": None,
        "request_three_d_secure": "automatic",
    }
    return {
        **_intent(call, "pi", "payment_intent"),
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application_fee_amount": None,
        "canceled_at": None,
        "capture_method": "automatic_async",
        "confirmation_method": "automatic",
        "currency": currency,
        "last_payment_error": None,
        "latest_charge": None,
        "managed_payments": {"enabled": False},
        "payment_method_options": {"card": card_options},
        "processing": None,
        "receipt_email": None,
        "review": None,
        "setup_future_usage": None,
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": None,
        "transfer_data": None,
        "transfer_group": None,
    }


def checkout_session(call: Call, *, amount: int, currency: str, expires_at: int) -> Json:
    ident = call.store.new_id("cs_test", 58)
    return {
        "id": ident,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": False},
        "after_expiration": None,
        "allow_promotion_codes": None,
        "amount_subtotal": amount,
        "amount_total": amount,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": None,
        "cancel_url": None,
        "client_reference_id": None,
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": None,
        "created": call.now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [],
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer": None,
        "customer_account": None,
        "customer_creation": "if_required",
        "customer_details": None,
        "customer_email": None,
        "discounts": [],
        "expires_at": expires_at,
        "integration_identifier": None,
        "invoice": None,
        "invoice_creation": None,
        "livemode": False,
        "locale": None,
        "managed_payments": {"enabled": False},
        "metadata": {},
        "mode": "payment",
        "origin_context": None,
        "payment_intent": None,
        "payment_link": None,
        "payment_method_collection": "if_required",
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": False},
        "recovered_from": None,
        "saved_payment_method_options": None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": None,
        "subscription": None,
        "success_url": None,
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": "hosted_page",
        "url": f"https://checkout.stripe.com/c/pay/{ident}",
        "wallet_options": None,
    }


def webhook_endpoint(call: Call, *, url: str, enabled_events: list[str]) -> Json:
    return {
        "id": call.store.new_id("we"),
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "created": call.now,
        "description": None,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
    }
