"""What customers pay of their own subscriptions and financings, before or after its day, and what says so."""

from __future__ import annotations

from chalicelib.books.billing.attempts import TooManyAttempts
from chalicelib.books.billing.gateway import PaymentServiceDown
from chalicelib.books.subscriptions.queries import FinancingNotFound, SubscriptionNotFound
from chalicelib.books.subscriptions.store import financing_key, subscription_key
from chalicelib.entrypoints._bodies import Input
from chalicelib.entrypoints._http import Access, Answer, Call, route
from chalicelib.entrypoints._keyed import keyed
from chalicelib.entrypoints.academy.buyers import buyer_of, whence_of
from chalicelib.entrypoints.academy.holdings import FINANCING, SUBSCRIPTION
from chalicelib.entrypoints.academy.paying import REFUSALS_OF_PAYMENT, WaitingOut, answer_of, paid_answer
from chalicelib.entrypoints.academy.payment_schemas import (
    CertificateOut,
    RecoveryOut,
    certificate_out,
    recovery_out,
)
from chalicelib.entrypoints.academy.schemas import InvoiceOut, invoice_out
from chalicelib.flows.recurring.certify import NotFullyPaid, certify
from chalicelib.flows.recurring.collect import ChangeIsPlanned
from chalicelib.flows.recurring.pay_now import Ask, pay_now, renew_now
from chalicelib.flows.recurring.recover import RecoveryNotFound, recover
from chalicelib.flows.recurring.wishes import (
    AllInstalmentsPaid,
    AlreadyPaused,
    JustPaid,
    NotActive,
    NothingToPay,
    PaymentIsDisputed,
    TooEarlyToRenew,
)
from chalicelib.kernel.errors import DomainError

ANSWERS = {200: InvoiceOut, 202: WaitingOut}
NOT_PAID: tuple[type[DomainError], ...] = (NothingToPay, JustPaid, TooManyAttempts, *REFUSALS_OF_PAYMENT)
NOT_RENEWED: tuple[type[DomainError], ...] = (
    TooEarlyToRenew,
    NotActive,
    PaymentIsDisputed,
    JustPaid,
    TooManyAttempts,
    *REFUSALS_OF_PAYMENT,
)


class PayFinancingBody(Input):
    """`all`: everything that is left, as one invoice; else what is due."""

    all: bool = False


@route(
    "PUT",
    f"{SUBSCRIPTION}/pay",
    access=Access.PERSON,
    keyed=True,
    answers=ANSWERS,
    errors=(SubscriptionNotFound, *NOT_PAID),
)
def pay_subscription(call: Call, subscription_id: int) -> Answer:
    """Pay what is open now, with its customer present."""
    key = subscription_key(call.person.user_id, subscription_id)
    ask = _ask(call, f"pay-subscription-{subscription_id}")
    return answer_of(pay_now(call.runtime.context(call.now), key, ask), 200, invoice_out)


@route(
    "PUT",
    f"{FINANCING}/pay",
    access=Access.PERSON,
    keyed=True,
    answers=ANSWERS,
    errors=(FinancingNotFound, *NOT_PAID),
)
def pay_financing(call: Call, body: PayFinancingBody, financing_id: int) -> Answer:
    """Pay what is due now, or all that is left, with its customer present."""
    key = financing_key(call.person.user_id, financing_id)
    ask = _ask(call, f"pay-financing-{financing_id}", whole=body.all)
    return answer_of(pay_now(call.runtime.context(call.now), key, ask), 200, invoice_out)


@route(
    "PUT",
    f"{SUBSCRIPTION}/renew",
    access=Access.PERSON,
    keyed=True,
    answers=ANSWERS,
    errors=(SubscriptionNotFound, AlreadyPaused, ChangeIsPlanned, *NOT_RENEWED),
)
def renew_subscription(call: Call, subscription_id: int) -> Answer:
    """Pay the next period before its day, at most one ahead."""
    key = subscription_key(call.person.user_id, subscription_id)
    ask = _ask(call, f"renew-subscription-{subscription_id}")
    return answer_of(renew_now(call.runtime.context(call.now), key, ask), 200, invoice_out)


@route(
    "PUT",
    f"{FINANCING}/renew",
    access=Access.PERSON,
    keyed=True,
    answers=ANSWERS,
    errors=(FinancingNotFound, AllInstalmentsPaid, *NOT_RENEWED),
)
def renew_financing(call: Call, financing_id: int) -> Answer:
    """Pay the next instalment before its day, at most one ahead."""
    key = financing_key(call.person.user_id, financing_id)
    ask = _ask(call, f"renew-financing-{financing_id}")
    return answer_of(renew_now(call.runtime.context(call.now), key, ask), 200, invoice_out)


@route(
    "GET",
    f"{FINANCING}/certificate",
    access=Access.PERSON,
    answers={200: CertificateOut},
    errors=(FinancingNotFound, NotFullyPaid),
)
def get_certificate(call: Call, financing_id: int) -> Answer:
    """That all instalments are paid: by whom, when, and by which invoices."""
    key = financing_key(call.person.user_id, financing_id)
    return Answer(200, certificate_out(certify(call.runtime.context(call.now), key)))


@route(
    "GET",
    "/v1/payments/recover/{token}",
    access=Access.PUBLIC,
    answers={200: RecoveryOut},
    errors=(RecoveryNotFound, PaymentServiceDown),
)
def recover_payment(call: Call, token: str) -> Answer:
    """What the link of a mail leads to: the payment that waits for its customer at the bank, or that it is paid."""
    return Answer(200, recovery_out(recover(call.runtime.context(call.now), token)))


def _ask(call: Call, route_name: str, *, whole: bool = False) -> Ask:
    key = keyed(call, route_name, lambda result: paid_answer(result, 200, invoice_out))
    return Ask(buyer=buyer_of(call.person), whence=whence_of(call), keyed=key, whole=whole)
