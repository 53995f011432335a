"""The shapes of what moves money: charges, refunds, disputes and their balance transactions."""

from typing import Any

from local.stripe_standin.call import Call
from local.stripe_standin.cards import Decline

Json = dict[str, Any]

DISPUTE_ANSWER_SECONDS = 9 * 86_400
DISPUTE_FEE_MINOR_UNITS = 1_500


def charge(call: Call, intent: Json, method: Json) -> Json:
    """A charge that is still pending; `charging` decides it."""
    ident = call.store.new_id("ch")
    return {
        "id": ident,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "STANDIN",
        "captured": False,
        "created": call.now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {"card": _charged_card(intent, method["card"]), "type": "card"},
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }


def _charged_card(intent: Json, card: Json) -> Json:
    unavailable = {"status": "unavailable"}
    return {
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "brand": card["brand"],
        "checks": card["checks"],
        "country": card["country"],
        "exp_month": card["exp_month"],
        "exp_year": card["exp_year"],
        "extended_authorization": {"status": "disabled"},
        "fingerprint": card["fingerprint"],
        "funding": card["funding"],
        "incremental_authorization": unavailable,
        "installments": None,
        "last4": card["last4"],
        "mandate": None,
        "multicapture": unavailable,
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": None,
        "overcapture": {"maximum_amount_capturable": intent["amount"], **unavailable},
        "regulated_status": card["regulated_status"],
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": None,
    }


def approved() -> Json:
    return {
        "advice_code": None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 32,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }


def refused(decline: Decline) -> Json:
    return {
        "advice_code": decline.advice_code,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "declined_by_network",
        "reason": decline.decline_code,
        "risk_level": "normal",
        "risk_score": 32,
        "seller_message": "The bank did not return any further details with this decline.",
        "type": "issuer_declined",
    }


def refund(call: Call, paid: Json, *, amount: int, reason: str | None) -> Json:
    return {
        "id": call.store.new_id("re"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": call.store.new_id("txn"),
        "charge": paid["id"],
        "created": call.now,
        "currency": paid["currency"],
        "customer": paid["customer"],
        "customer_account": None,
        "destination_details": {
            "card": {
                "reference_status": "pending",
                "reference_type": "acquirer_reference_number",
                "type": "refund",
            },
            "type": "card",
        },
        "metadata": {},
        "payment_intent": paid["payment_intent"],
        "payment_method": paid["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }


EVIDENCE_FIELDS = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)


def dispute(call: Call, paid: Json, *, reason: str) -> Json:
    return {
        "id": call.store.new_id("du"),
        "object": "dispute",
        "amount": paid["amount"],
        "balance_transactions": [],
        "charge": paid["id"],
        "created": call.now,
        "currency": paid["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE_FIELDS), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": call.now + DISPUTE_ANSWER_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": paid["payment_intent"],
        "payment_method_details": {
            "card": {
                "brand": paid["payment_method_details"]["card"]["brand"],
                "case_type": "chargeback",
                "network": paid["payment_method_details"]["card"]["network"],
                "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": reason,
        "status": "needs_response",
    }


def dispute_transaction(call: Call, case: Json, *, withdrawn: bool) -> Json:
    """The movement of the disputed amount: withdrawn with Stripe's fee, or given back without it."""
    fee = DISPUTE_FEE_MINOR_UNITS if withdrawn else 0
    amount = -case["amount"] if withdrawn else case["amount"]
    kind = "Dispute fee"
    details = [
        {
            "amount": fee,
            "application": None,
            "currency": case["currency"],
            "description": kind,
            "type": "stripe_fee",
        }
    ]
    return {
        "id": call.store.new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": call.now,
        "balance_type": "payments",
        "created": call.now,
        "currency": case["currency"],
        "description": f"Chargeback {'withdrawal' if withdrawn else 'reversal'} for {case['charge']}",
        "exchange_rate": None,
        "fee": fee,
        "fee_details": details if withdrawn else [],
        "net": amount - fee,
        "reporting_category": "dispute" if withdrawn else "dispute_reversal",
        "source": case["id"],
        "status": "available",
        "type": "adjustment",
    }
