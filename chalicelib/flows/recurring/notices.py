"""The mails before something happens by itself. Pure."""

from __future__ import annotations

from datetime import datetime

from chalicelib.books.identity.model import Person
from chalicelib.books.outbox.model import Message
from chalicelib.books.subscriptions.course import trial_told
from chalicelib.books.subscriptions.model import Subscription
from chalicelib.flows.fulfillment.notices import mail
from chalicelib.kernel.ids import derived
from chalicelib.kernel.money import Money


def trial_ends(person: Person, holding: Subscription, amount: Money, now: datetime) -> Message:
    """Says when a trial ends and what is charged then, once."""
    plan = holding.terms.plan_title or holding.terms.plan_slug
    facts = [("Plan", plan), ("Amount", str(amount))]
    if holding.next_payment_at is not None:
        facts.append(("Trial ends", holding.next_payment_at.strftime("%Y-%m-%d %H:%M UTC")))
    sentence = (
        "Your trial ends soon. Your saved card is charged then, unless you cancel before; without a card it just ends."
    )
    return mail(
        derived("trial", holding.id, trial_told(holding)),
        person,
        f"Your trial of {plan} ends soon",
        sentence,
        facts,
        now,
    )


def dearer(person: Person, holding: Subscription, last: Money, coming: Money, due: datetime, now: datetime) -> Message:
    """Says that the next payment is more than the last one was, with both, once for each."""
    plan = holding.terms.plan_title or holding.terms.plan_slug
    facts = [("Plan", plan), ("Paid last", str(last)), ("Next payment", str(coming))]
    facts.append(("On", due.strftime("%Y-%m-%d %H:%M UTC")))
    sentence = "A discount of yours has ended, so your next payment is more than your last one."
    ident = derived("dearer", holding.id, int(due.timestamp()))
    return mail(ident, person, f"Your next payment for {plan} is {coming}", sentence, facts, now)
