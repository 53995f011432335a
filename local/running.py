"""Everything that runs, started in order and stopped in the reverse order."""

from __future__ import annotations

import threading
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from types import TracebackType
from typing import Any

from chalicelib.adapters.queue.sqs import SqsQueue
from chalicelib.adapters.secrets import read_secrets
from chalicelib.entrypoints import _observe, _wiring
from chalicelib.settings import Settings, from_environment
from local.catalog import load_catalog
from local.clock import MovableClock
from local.demo_file import DemoFile
from local.due import Waiting, waiting
from local.gateway import Event, Gateway
from local.local_routes import LocalRoutes
from local.mailbox import Mailbox
from local.ministack import Ministack
from local.options import ROOT, Options
from local.people import People, Registry
from local.pump import Pump
from local.resources import Resources, make_resources, make_table
from local.state import Kept, State
from local.stripe_standin.machine import Standin
from local.stripe_standin.server import StandinServer
from local.timeline import Recurring, Timeline
from local.waking_queue import WakingQueue
from local.welcome import Welcome, welcome

MAIL_FROM = "billing@example.com"
MINISTACK_LOG = ROOT / ".local" / "ministack.log"
WEBHOOK_PATH = "/stripe/webhook"
HEALTH_SECONDS_MAX = 20
POLL_SECONDS = 0.05


class Runtime(_wiring.Runtime):
    """The deployed runtime, whose queue also wakes the pumps."""

    @cached_property
    def queue(self) -> WakingQueue:
        return WakingQueue(SqsQueue(self.settings))


class Running:
    """A context: inside it everything is up, and `welcome` says where."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._stack = ExitStack()
        self._state = State(options.data_dir)
        self._ministack = Ministack(log_file=MINISTACK_LOG, state_dir=self._state.ministack_dir)
        self._standin: StandinServer | None = None
        self._local_routes: LocalRoutes | None = None
        self.welcome = ""

    @property
    def is_whole(self) -> bool:
        """False once a process that this needs has ended by itself."""
        return self._ministack.is_running

    def __enter__(self) -> Running:
        """Raises PortTaken, MinistackFailed, StateInUse, StateUnreadable."""
        with ExitStack() as until_up:
            until_up.callback(self._stack.close)
            self._start()
            until_up.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _start(self) -> None:
        import app

        _observe.start_logging(plain=True)
        kept = self._state.open()
        self._stack.callback(self._state.close)
        clock = MovableClock(kept.offset_seconds)
        gateway = Gateway(app.app, port=self._options.port, local_routes=self._serve_local)
        self._stack.callback(gateway.close)
        resources = self._start_ministack()
        mailbox = Mailbox(self._ministack.url, kept.mails)
        self._stack.callback(self._save, kept, clock, mailbox)
        if self._options.stripe_key is None:
            self._standin = self._start_standin(kept, clock, gateway.url)
        runtime = Runtime(self._settings(kept, resources, gateway.url), clock=clock.now)
        _wiring.install(runtime)
        self._start_gateway(gateway)
        *pumps, holdings = self._start_pumps(app, runtime, resources)
        timeline = Timeline(
            clock,
            tick=app.sweep_tick,
            pumps=tuple(pumps),
            webhooks=self._standin,
            recurring=Recurring(
                app.renew_tick,
                holdings,
                lambda at: self._waiting(runtime, at),
            ),
            reconcilers=(app.catch_up_tick, app.compare_tick),
        )
        timeline.after_minute = lambda: self._save(kept, clock, mailbox)
        registry = Registry(runtime.table, runtime.settings)
        self._local_routes = LocalRoutes(clock=clock, timeline=timeline, registry=registry, mailbox=mailbox)
        people = registry.demonstration(clock.now())
        load_catalog(runtime.context(clock.now()), academy_id=people.academies[0].id)
        timeline.start()
        self._stack.callback(timeline.stop)
        _wait_until_healthy(gateway.url)
        self._announce(gateway.url, people, kept)

    def _waiting(self, runtime: Runtime, at: datetime) -> Waiting:
        """What waits for an instant: rows, and webhooks."""
        found = waiting(runtime.table, at)
        webhooks = self._standin is not None and not self._standin.standin.settled(int(at.timestamp()))
        return replace(found, webhooks=webhooks)

    def _start_ministack(self) -> Resources:
        options = self._options
        self._ministack.start()
        self._stack.callback(self._ministack.stop)
        make_table(name=options.table, region=options.region, endpoint_url=options.dynamodb_url or self._ministack.url)
        return make_resources(region=options.region, endpoint_url=self._ministack.url, mail_from=MAIL_FROM)

    def _start_standin(self, kept: Kept, clock: MovableClock, api_url: str) -> StandinServer:
        standin = Standin(secret_key=kept.stripe_key)
        if kept.standin is not None:
            standin.load(kept.standin)
        server = StandinServer(
            standin, clock=clock.seconds, webhook_url=api_url + WEBHOOK_PATH, webhook_secret=kept.webhook_secret
        )
        server.start()
        self._stack.callback(server.stop)
        return server

    def _start_gateway(self, gateway: Gateway) -> None:
        thread = threading.Thread(target=gateway.serve, name="gateway", daemon=True)
        thread.start()
        self._stack.callback(gateway.stop)

    def _start_pumps(self, app: Any, runtime: Runtime, resources: Resources) -> tuple[Pump, ...]:
        where = {"region": self._options.region, "endpoint_url": self._ministack.url}
        inbox = Pump(name="inbox", queue_url=resources.inbox_queue_url, worker=app.inbox_worker, **where)
        outbox = Pump(name="outbox", queue_url=resources.outbox_queue_url, worker=app.outbox_worker, **where)
        holdings = Pump(name="holdings", queue_url=resources.holdings_queue_url, worker=app.holdings_worker, **where)
        queue = runtime.queue
        queue.on_inbox, queue.on_outbox, queue.on_holdings = inbox.wake, outbox.wake, holdings.wake
        for pump in (inbox, outbox, holdings):
            pump.start()
            self._stack.callback(pump.stop)
        return inbox, outbox, holdings

    def _settings(self, kept: Kept, resources: Resources, api_url: str) -> Settings:
        options, standin = self._options, self._standin
        environment = {
            **options.settings,
            "PURSER_STAGE": "local",
            "PURSER_TABLE": options.table,
            "PURSER_REGION": options.region,
            "PURSER_INBOX_QUEUE_URL": resources.inbox_queue_url,
            "PURSER_OUTBOX_QUEUE_URL": resources.outbox_queue_url,
            "PURSER_HOLDINGS_QUEUE_URL": resources.holdings_queue_url,
            "PURSER_FILES_BUCKET": resources.files_bucket,
            "PURSER_MAIL_FROM": MAIL_FROM,
            "PURSER_INVITE_URL": api_url,
            "PURSER_JWT_SECRET": kept.jwt_secret,
            "PURSER_STRIPE_SECRET_KEY": options.stripe_key or kept.stripe_key,
            "PURSER_STRIPE_WEBHOOK_SECRETS": options.stripe_webhook_secret or kept.webhook_secret,
            "PURSER_STRIPE_URL": "" if standin is None else standin.url,
            "AWS_ENDPOINT_URL_DYNAMODB": options.dynamodb_url or self._ministack.url,
            "AWS_ENDPOINT_URL_SQS": self._ministack.url,
            "AWS_ENDPOINT_URL_SES": self._ministack.url,
            "AWS_ENDPOINT_URL_S3": self._ministack.url,
        }
        return from_environment(read_secrets, environment)

    def _announce(self, api_url: str, people: People, kept: Kept) -> None:
        options, standin = self._options, self._standin
        stripe = {}
        if standin is not None:
            stripe = {
                "stripe_api_url": standin.url,
                "stripe_secret_key": kept.stripe_key,
                "stripe_webhook_secret": kept.webhook_secret,
            }
        demo_file = DemoFile(options.demo_file)
        demo_file.write(api_url=api_url, people=people, stripe=stripe)
        self._stack.callback(demo_file.remove)
        self.welcome = welcome(
            Welcome(
                api_url=api_url,
                stripe_url=None if standin is None else standin.url,
                dynamodb_url=options.dynamodb_url or self._ministack.url,
                people=people,
                demo_file=options.demo_file,
                data_dir=options.data_dir,
            )
        )

    def _serve_local(self, event: Event) -> Any:
        if self._local_routes is None:
            raise LookupError("a request came before the server was up")
        return self._local_routes(event)

    def _save(self, kept: Kept, clock: MovableClock, mailbox: Mailbox) -> None:
        """Write down what a restart takes up."""
        self._state.save(
            Kept(
                offset_seconds=clock.offset_seconds,
                jwt_secret=kept.jwt_secret,
                webhook_secret=kept.webhook_secret,
                stripe_key=kept.stripe_key,
                standin=kept.standin if self._standin is None else self._standin.standin.dump(),
                mails=mailbox.sent(),
            )
        )


def _wait_until_healthy(api_url: str) -> None:
    """Raises TimeoutError where the API does not answer for itself within 20 seconds."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + HEALTH_SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            with direct.open(f"{api_url}/health", timeout=HEALTH_SECONDS_MAX):
                return
        except urllib.error.URLError:
            time.sleep(POLL_SECONDS)
    raise TimeoutError(f"{api_url}/health does not answer")
