"""What a process needs, built once and late: settings, the table, Stripe, queues, mail, and the clock.

Nothing is built at import. The local run and the tests install their own `Runtime` before the first request.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from chalicelib.books.billing.gateway import Gateway
from chalicelib.books.outbox.port import Mailer
from chalicelib.dynamo.table import Table
from chalicelib.flows.context import Context, Limits, Queue, SpentPolicy
from chalicelib.kernel.ids import RandomBits
from chalicelib.settings import Settings, from_environment

if TYPE_CHECKING:
    from chalicelib.flows.statement.ports import Files, Printer

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    return datetime.now(UTC)


@dataclass
class Runtime:
    """A process's settings, clock and connections. Everything that costs to build is built at its first use."""

    settings: Settings
    clock: Clock = system_clock
    random_bits: RandomBits = secrets.randbits

    @cached_property
    def table(self) -> Table:
        return Table(self.settings.table, region=self.settings.region, endpoint_url=self.settings.dynamodb_url)

    @cached_property
    def gateway(self) -> Gateway:
        from chalicelib.adapters.stripe.gateway import StripeGateway

        return StripeGateway(self.settings)

    @cached_property
    def queue(self) -> Queue:
        from chalicelib.adapters.queue.sqs import SqsQueue

        return SqsQueue(self.settings)

    @cached_property
    def mailer(self) -> Mailer:
        from chalicelib.adapters.mail.ses import SesMailer

        return SesMailer(self.settings)

    @cached_property
    def files(self) -> Files:
        from chalicelib.adapters.files.s3 import S3Files

        return S3Files(self.settings)

    @cached_property
    def printer(self) -> Printer:
        from chalicelib.adapters.paper.pdf import PdfPrinter

        return PdfPrinter()

    def context(self, now: datetime) -> Context:
        """What a journey is given, at this instant."""
        settings = self.settings
        limits = Limits(
            card_attempts_per_hour=settings.card_attempts_per_hour,
            declines_per_hour=settings.declines_per_hour,
            one_trial_per_card=settings.one_trial_per_card,
            live_mode=settings.live_mode,
            spent_policy=SpentPolicy(settings.spent_policy),
        )
        return Context(
            table=self.table,
            gateway=self.gateway,
            queue=self.queue,
            now=now,
            limits=limits,
            front_end=settings.invite_url,
            random_bits=self.random_bits,
        )


_installed: Runtime | None = None


def runtime() -> Runtime:
    """The process's runtime, from the environment at first use."""
    global _installed  # noqa: PLW0603  # one process, one runtime
    if _installed is None:
        from chalicelib.adapters.secrets import read_secrets

        _installed = Runtime(from_environment(read_secrets))
    return _installed


def install(replacement: Runtime | None) -> None:
    """Put another runtime in place (local run, tests)."""
    global _installed  # noqa: PLW0603
    _installed = replacement
