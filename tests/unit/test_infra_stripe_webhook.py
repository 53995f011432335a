"""The webhook endpoint registered with the stand-in for Stripe, its secret kept in moto's SSM."""

import random
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
import stripe
from moto import mock_aws

from infra.stripe_webhook import RETRY_WINDOW_SECONDS, Registered, Wanted, register
from local.stripe_standin.inprocess import InProcessClient
from local.stripe_standin.machine import Standin

NOW = 1_795_000_000
URL = "https://api.example.com/api/stripe/webhook"
PARAMETER = "/purser/test/stripe_webhook_secrets"
EVENTS = ("payment_intent.succeeded", "charge.refunded")
VERSION = "2026-10-28.endive"


class World:
    """Stripe, SSM and a clock."""

    def __init__(self, ssm: Any) -> None:
        self.now = NOW
        self.ssm = ssm
        standin = Standin(rng=random.Random(7))
        client = InProcessClient(standin, lambda: self.now)
        self.stripe = stripe.StripeClient("sk_test_standin", http_client=client)

    def register(self, **changes: Any) -> Registered:
        rotate = changes.pop("rotate", False)
        fields: dict[str, Any] = {"stage": "test", "url": URL, "events": EVENTS, "api_version": VERSION}
        return register(self.stripe, self.ssm, Wanted(**{**fields, "now": self.now, **changes}), rotate=rotate)

    def endpoints(self) -> dict[str, Any]:
        listed = self.stripe.v1.webhook_endpoints.list()
        return {one.id: one.to_dict() for one in listed.auto_paging_iter()}

    def secrets(self) -> list[str]:
        value: str = self.ssm.get_parameter(Name=PARAMETER, WithDecryption=True)["Parameter"]["Value"]
        return value.split(",")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        yield World(boto3.client("ssm", region_name="eu-west-1"))


class TestFirstTime:
    def test_it_makes_an_endpoint_for_our_events_with_the_pinned_version(self, world: World) -> None:
        done = world.register()
        assert (done.action, done.secret_stored) == ("created", True)
        made = world.endpoints()[done.endpoint]
        assert (made["url"], made["api_version"]) == (URL, VERSION)
        assert sorted(made["enabled_events"]) == sorted(EVENTS)

    def test_the_secret_is_encrypted_in_ssm_and_not_in_the_answer(self, world: World) -> None:
        done = world.register()
        stored = world.ssm.get_parameter(Name=PARAMETER, WithDecryption=False)["Parameter"]
        assert stored["Type"] == "SecureString"
        (secret,) = world.secrets()
        assert secret.startswith("whsec_")
        assert secret not in repr(done)
        assert secret not in repr(world.endpoints())


class TestAgain:
    def test_it_changes_nothing(self, world: World) -> None:
        first = world.register()
        again = world.register()
        assert (again.endpoint, again.action, again.secret_stored) == (first.endpoint, "unchanged", False)
        assert len(world.endpoints()) == 1
        assert len(world.secrets()) == 1

    def test_other_events_change_the_endpoint_and_keep_its_secret(self, world: World) -> None:
        first = world.register()
        before = world.secrets()
        again = world.register(events=(*EVENTS, "refund.failed"))
        assert (again.endpoint, again.action) == (first.endpoint, "updated")
        assert "refund.failed" in world.endpoints()[first.endpoint]["enabled_events"]
        assert world.secrets() == before


class TestAfterACrash:
    def test_a_secret_that_never_reached_ssm_means_a_new_endpoint(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(**_: Any) -> None:
            raise ConnectionError("cut")

        with monkeypatch.context() as broken:
            broken.setattr(world.ssm, "put_parameter", crash)
            with pytest.raises(ConnectionError):
                world.register()
        (orphan,) = world.endpoints()
        done = world.register()
        assert done.action == "created"
        assert done.deleted == [orphan]
        assert list(world.endpoints()) == [done.endpoint]
        assert len(world.secrets()) == 1

    def test_a_secret_stored_but_not_marked_means_a_new_endpoint_that_works(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def crash(*_: Any, **__: Any) -> None:
            raise ConnectionError("cut")

        with monkeypatch.context() as broken:
            broken.setattr(stripe.WebhookEndpointService, "update", crash)
            with pytest.raises(ConnectionError):
                world.register()
        done = world.register()
        assert list(world.endpoints()) == [done.endpoint]
        assert world.register().action == "unchanged"

    def test_a_secret_that_someone_deleted_from_ssm_means_a_new_endpoint(self, world: World) -> None:
        first = world.register()
        world.ssm.delete_parameter(Name=PARAMETER)
        done = world.register()
        assert done.action == "created"
        assert done.endpoint != first.endpoint


class TestReplacing:
    @pytest.mark.parametrize("change", [{"rotate": True}, {"api_version": "2027-03-01.next"}])
    def test_the_earlier_endpoint_and_its_secret_stay_while_stripe_retries(
        self, world: World, change: dict[str, Any]
    ) -> None:
        first = world.register()
        (before,) = world.secrets()
        world.now += 60
        done = world.register(**change)
        assert done.kept_for_retries == [first.endpoint]
        assert set(world.endpoints()) == {first.endpoint, done.endpoint}
        newest, earlier = world.secrets()
        assert earlier == before
        assert newest != before

    def test_three_days_later_it_is_deleted_and_its_secret_forgotten(self, world: World) -> None:
        world.register()
        world.now += 60
        second = world.register(rotate=True)
        newest, _ = world.secrets()
        world.now += RETRY_WINDOW_SECONDS - 1
        assert world.register().deleted == []
        world.now += 1
        done = world.register()
        assert (done.endpoint, done.secret_stored) == (second.endpoint, True)
        assert list(world.endpoints()) == [second.endpoint]
        assert world.secrets() == [newest]

    def test_at_most_two_secrets_are_kept(self, world: World) -> None:
        for _ in range(3):
            world.register(rotate=True)
            world.now += 60
        assert len(world.secrets()) == 2


class TestOthers:
    def test_an_endpoint_that_someone_made_by_hand_is_named_and_left_alone(self, world: World) -> None:
        by_hand = world.stripe.v1.webhook_endpoints.create({"url": URL, "enabled_events": ["payment_intent.succeeded"]})
        done = world.register()
        assert done.foreign == [by_hand.id]
        assert by_hand.id in world.endpoints()

    def test_an_endpoint_at_another_address_is_not_touched(self, world: World) -> None:
        other = world.register(url="https://beta.example.com/stripe/webhook", stage="beta")
        done = world.register()
        assert set(world.endpoints()) == {other.endpoint, done.endpoint}
        assert done.foreign == []
