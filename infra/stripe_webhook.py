"""The webhook endpoint at Stripe: registered for the events we handle, its secret kept in SSM and never shown.

Stripe tells an endpoint's secret once, when it is made, and cannot change an endpoint's API version. So a secret
that did not reach SSM (a crash between two calls) or another version means a new endpoint. The endpoint's
metadata holds a fingerprint of its secret, which says later whether SSM still has it.

An endpoint that was replaced stays for three days, as long as Stripe retries: deleting it at once would drop the
events that it has yet to deliver. Meanwhile both secrets are accepted and duplicates are harmless.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

SECRETS_MAX = 2  # what the settings accept: the present secret and the one before
RETRY_WINDOW_SECONDS = 3 * 24 * 3600
STAGE_KEY = "purser_stage"
FINGERPRINT_KEY = "purser_secret"


@dataclass(frozen=True)
class Wanted:
    """The endpoint as it should be. `events` are Stripe's types, `now` unix seconds."""

    stage: str
    url: str
    events: Sequence[str]
    api_version: str
    now: int

    @property
    def parameter(self) -> str:
        return f"/purser/{self.stage}/stripe_webhook_secrets"


@dataclass
class Registered:
    """What was done: the endpoint's id, what became of it, and what happened to others at the same address.

    `secret_stored` says that running functions must read their secrets again.
    """

    endpoint: str
    action: str
    secret_stored: bool
    deleted: list[str] = field(default_factory=list)
    kept_for_retries: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def register(stripe_client: Any, ssm: Any, wanted: Wanted, *, rotate: bool = False) -> Registered:
    """Make sure that Stripe sends our events to `wanted.url` and that SSM has the secret.

    `rotate` makes a new endpoint, hence a new secret, in any case. Doing it again changes nothing; after a crash
    anywhere it repairs. Two at the same time are not guarded against. Raises Stripe's and SSM's errors.
    """
    secrets = _stored_secrets(ssm, wanted.parameter)
    known = {_fingerprint(secret) for secret in secrets}
    here = [one.to_dict() for one in stripe_client.v1.webhook_endpoints.list().auto_paging_iter()]
    here = [one for one in here if one["url"] == wanted.url]
    ours = [one for one in here if one["metadata"].get(STAGE_KEY) == wanted.stage]
    usable = [
        one
        for one in ours
        if one["metadata"].get(FINGERPRINT_KEY) in known
        and one["api_version"] == wanted.api_version
        and one["status"] == "enabled"
    ]
    if usable and not rotate:
        present = max(usable, key=lambda one: one["created"])
        done = _bring_up_to_date(stripe_client, present, wanted)
    else:
        present = _create(stripe_client, ssm, wanted, secrets)
        done = Registered(endpoint=present["id"], action="created", secret_stored=True)
    done.foreign = [one["id"] for one in here if one not in ours]
    others = [one for one in ours if one["id"] != present["id"]]
    _retire(stripe_client, ssm, wanted, done, present=present, others=others)
    return done


def _bring_up_to_date(stripe_client: Any, endpoint: dict[str, Any], wanted: Wanted) -> Registered:
    if set(endpoint["enabled_events"]) == set(wanted.events):
        return Registered(endpoint=endpoint["id"], action="unchanged", secret_stored=False)
    stripe_client.v1.webhook_endpoints.update(endpoint["id"], {"enabled_events": sorted(wanted.events)})
    return Registered(endpoint=endpoint["id"], action="updated", secret_stored=False)


def _create(stripe_client: Any, ssm: Any, wanted: Wanted, secrets: list[str]) -> dict[str, Any]:
    """Make an endpoint, store its secret before the earlier one, and only then mark it as stored."""
    made = stripe_client.v1.webhook_endpoints.create(
        {
            "url": wanted.url,
            "enabled_events": sorted(wanted.events),
            "api_version": wanted.api_version,
            "description": f"Purser, stage {wanted.stage}",
            "metadata": {STAGE_KEY: wanted.stage},
        }
    )
    endpoint: dict[str, Any] = made.to_dict()
    secret = endpoint.pop("secret")
    _store_secrets(ssm, wanted.parameter, [secret, *secrets][:SECRETS_MAX])
    stripe_client.v1.webhook_endpoints.update(endpoint["id"], {"metadata": {FINGERPRINT_KEY: _fingerprint(secret)}})
    return endpoint


def _retire(
    stripe_client: Any,
    ssm: Any,
    wanted: Wanted,
    done: Registered,
    *,
    present: dict[str, Any],
    others: list[dict[str, Any]],
) -> None:
    """Delete the endpoints that nothing waits for, and their secrets."""
    overlap_ended = present["created"] + RETRY_WINDOW_SECONDS <= wanted.now
    gone: set[str] = set()
    for one in others:
        fingerprint = one["metadata"].get(FINGERPRINT_KEY)
        # Nobody knows the secret of one without a fingerprint: no event of it can ever be accepted.
        if fingerprint is None or overlap_ended:
            stripe_client.v1.webhook_endpoints.delete(one["id"])
            done.deleted.append(one["id"])
            gone.add(fingerprint or "")
        else:
            done.kept_for_retries.append(one["id"])
    secrets = _stored_secrets(ssm, wanted.parameter)
    left = [secret for secret in secrets if _fingerprint(secret) not in gone]
    if left != secrets:
        _store_secrets(ssm, wanted.parameter, left)
        done.secret_stored = True


def _stored_secrets(ssm: Any, parameter: str) -> list[str]:
    try:
        found = ssm.get_parameter(Name=parameter, WithDecryption=True)
    except ssm.exceptions.ParameterNotFound:
        return []
    value: str = found["Parameter"]["Value"]
    return [part.strip() for part in value.split(",") if part.strip()]


def _store_secrets(ssm: Any, parameter: str, secrets: list[str]) -> None:
    ssm.put_parameter(Name=parameter, Value=",".join(secrets), Type="SecureString", Overwrite=True)


def _fingerprint(secret: str) -> str:
    """Says whether two secrets are the same one; a secret of 32 random characters cannot be found from it."""
    return hashlib.sha256(secret.encode()).hexdigest()[:16]
