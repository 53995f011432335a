"""The signature of a webhook, with the library's own verifier as the oracle."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe import SignatureVerificationError, WebhookSignature

from chalicelib.adapters.stripe.events import SIGNATURES_MAX, NoEvent, SignatureRefused, parse, verify
from chalicelib.adapters.stripe.listing import event_of

SECRET, OLD_SECRET, OTHER = "whsec_new_0123456789", "whsec_old_0123456789", "whsec_of_somebody_else"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
TOLERANCE = 300
IN_OTHER_DIGITS = str(SECONDS).translate({ord("0") + digit: 0x660 + digit for digit in range(10)})
BODY = '{"id":"evt_1","object":"event","type":"charge.refunded","note":"\u00e9\u20ac"}'


def signature(body: str = BODY, *, secret: str = SECRET, at: int = SECONDS) -> str:
    return hmac.new(secret.encode(), f"{at}.{body}".encode(), hashlib.sha256).hexdigest()


def a_header(body: str = BODY, *, secret: str = SECRET, at: int = SECONDS) -> str:
    return f"t={at},v1={signature(body, secret=secret, at=at)},v0=ignored"


def accepted(header: str, body: str | bytes = BODY, *, secrets: Sequence[str] = (SECRET,), now: datetime = NOW) -> bool:
    raw = body.encode() if isinstance(body, str) else body
    try:
        verify(raw, header, secrets=secrets, now=now, tolerance_seconds=TOLERANCE)
    except SignatureRefused:
        return False
    return True


def accepted_by_stripe(header: str, body: str = BODY, *, secret: str = SECRET, now: datetime = NOW) -> bool:
    with patch("stripe._webhook.time.time", return_value=now.timestamp()):
        try:
            return bool(WebhookSignature.verify_header(body, header, secret, TOLERANCE))
        except SignatureVerificationError:
            return False


class TestVerify:
    @pytest.mark.parametrize(
        ("header", "expected"),
        [
            (a_header(), True),
            (a_header(secret=OTHER), False),
            (a_header("another body"), False),
            (f"t={SECONDS},v1={signature(secret=OTHER)},v1={signature()}", True),
            (f"v1={signature()},t={SECONDS}", True),
            (f"t={SECONDS + 1},v1={signature()}", False),
            (f"t={SECONDS},v0={signature()}", False),
            (f"t={SECONDS},v1=", False),
            (f"t={SECONDS},v1={signature().upper()}", False),
            (f"t={SECONDS},v1={signature()}0", False),
            (f"t={SECONDS},v1={signature()[:-1]}", False),
            (f"t={SECONDS},v1", False),
            (f"t={SECONDS}", False),
            (f"v1={signature()}", False),
            (f"t=,v1={signature()}", False),
            (f"t=now,v1={signature()}", False),
            ("", False),
            (",,,", False),
            ("=", False),
            (f"t={SECONDS};v1={signature()}", False),
        ],
    )
    def test_says_what_stripe_says(self, header: str, expected: bool) -> None:
        assert accepted(header) is expected
        assert accepted_by_stripe(header) is expected

    @settings(max_examples=150, deadline=None)
    @given(
        body=st.text(st.characters(exclude_categories=["Cs"]), max_size=60),
        secret=st.sampled_from([SECRET, OTHER]),
        age=st.integers(-10, TOLERANCE + 10),
        signed_at=st.integers(-1, 1),
    )
    def test_agrees_with_stripe_on_whatever_is_sent(self, body: str, secret: str, age: int, signed_at: int) -> None:
        at = SECONDS - age
        header = f"t={at},v1={signature(body, secret=secret, at=at + signed_at)}"
        assert accepted(header, body) is accepted_by_stripe(header, body)
        assert accepted(header, body) is (secret == SECRET and signed_at == 0 and age <= TOLERANCE)

    @pytest.mark.parametrize(
        ("age", "expected"),
        [(0, True), (TOLERANCE, True), (TOLERANCE + 1, False), (-TOLERANCE, True), (-TOLERANCE - 1, False)],
    )
    def test_has_the_tolerance_towards_the_past_and_the_future(self, age: int, expected: bool) -> None:
        """The library takes any time of the future, and so a signature that never grows old."""
        header = a_header(at=SECONDS - age)
        assert accepted(header) is expected
        assert accepted_by_stripe(header) is (age <= TOLERANCE)

    def test_takes_both_secrets_while_one_is_rolled(self) -> None:
        for secret in (SECRET, OLD_SECRET):
            assert accepted(a_header(secret=secret), secrets=(SECRET, OLD_SECRET))
            assert accepted(a_header(secret=secret), secrets=(OLD_SECRET, SECRET))
        assert not accepted(a_header(secret=OTHER), secrets=(SECRET, OLD_SECRET))
        assert not accepted(a_header(secret=OLD_SECRET), secrets=(SECRET,))

    def test_refuses_everything_without_a_secret(self) -> None:
        assert not accepted(a_header(), secrets=())
        assert not accepted(a_header(secret=""), secrets=())

    def test_looks_at_every_signature_up_to_a_limit(self) -> None:
        wrong = [f"v1={signature(secret=OTHER)}"]
        right = [f"v1={signature()}"]
        assert accepted(",".join([f"t={SECONDS}", *wrong * (SIGNATURES_MAX - 1), *right]))
        assert not accepted(",".join([f"t={SECONDS}", *wrong * SIGNATURES_MAX, *right]))

    @pytest.mark.parametrize(
        "stamp",
        [
            f"+{SECONDS}",
            f" {SECONDS}",
            f"{SECONDS}.0",
            f"-{SECONDS}",
            "9" * 13,
            "9" * 5000,
            IN_OTHER_DIGITS,
            f"{SECONDS}\n",
        ],
    )
    def test_refuses_a_time_that_is_no_plain_number(self, stamp: str) -> None:
        signed = hmac.new(SECRET.encode(), f"{stamp}.{BODY}".encode(), hashlib.sha256).hexdigest()
        plain = signature()
        assert not accepted(f"t={stamp}x,v1={signed},v1={plain}")
        if stamp.strip() != str(SECONDS):
            assert not accepted(f"t={stamp},v1={signed},v1={plain}")

    @pytest.mark.parametrize("signed", ["\ud800", "\u0661" * 64, "\x00", "\udcff" * 64])
    def test_refuses_a_signature_that_is_no_text(self, signed: str) -> None:
        assert not accepted(f"t={SECONDS},v1={signed}")
        assert accepted(f"t={SECONDS},v1={signed},v1={signature()}")

    def test_refuses_two_times(self) -> None:
        assert not accepted(f"t={SECONDS},t={SECONDS},v1={signature()}")

    def test_is_over_the_bytes_as_they_came(self) -> None:
        raw = b'{"a":\xff\xfe}'
        signed = hmac.new(SECRET.encode(), b"%d." % SECONDS + raw, hashlib.sha256).hexdigest()
        assert accepted(f"t={SECONDS},v1={signed}", raw)
        assert not accepted(f"t={SECONDS},v1={signed}", raw + b" ")

    @settings(max_examples=300, deadline=None)
    @given(
        raw=st.binary(max_size=80),
        header=st.text(max_size=80)
        | st.binary(max_size=80).map(lambda found: found.decode("latin-1"))
        | st.lists(st.sampled_from(["t", "v1", "=", ",", " ", str(SECONDS), "9" * 5000, "\ud800", "\u0661"])).map(
            "".join
        ),
    )
    def test_refuses_whatever_else_comes_and_never_fails(self, raw: bytes, header: str) -> None:
        with pytest.raises(SignatureRefused):
            verify(raw, header, secrets=(SECRET, OLD_SECRET), now=NOW, tolerance_seconds=TOLERANCE)


class TestParse:
    def test_reads_what_the_event_is_about(self) -> None:
        found = parse(
            b'{"object":"event","id":"evt_1","type":"payment_method.detached",'
            b'"data":{"object":{"id":"pm_1"},"previous_attributes":{"customer":"cus_1"}}}'
        )
        assert (found.id, found.type, found.object_id, found.previous_customer) == (
            "evt_1",
            "payment_method.detached",
            "pm_1",
            "cus_1",
        )

    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"\xff",
            b"[]",
            b"null",
            b"{}",
            b'{"object":"charge","id":"evt_1","type":"x"}',
            b'{"object":"event","id":"ch_1","type":"x"}',
            b'{"object":"event","id":"evt_1/../x","type":"x"}',
            b'{"object":"event","id":"evt_1\\n","type":"x"}',
            b'{"object":"event","id":1,"type":"x"}',
            b'{"object":"event","id":"evt_1"}',
            b'{"object":"event","id":"evt_1","type":{}}',
            b"[" * 100_000,
            b'{"object":"event","id":"evt_' + b"1" * 201 + b'","type":"x"}',
            b'{"object":"event","id":"evt_1","type":"' + b"x" * 201 + b'"}',
        ],
    )
    def test_refuses_what_is_no_event(self, raw: bytes) -> None:
        with pytest.raises(NoEvent):
            parse(raw)

    @pytest.mark.parametrize("data", [b"null", b"[]", b'"x"', b'{"object":[]}', b'{"object":{"id":5}}'])
    def test_takes_an_event_that_does_not_say_what_it_is_about(self, data: bytes) -> None:
        found = parse(b'{"object":"event","id":"evt_1","type":"x","data":' + data + b"}")
        assert (found.object_id, found.previous_customer) == (None, None)

    def test_takes_text_that_was_cut_in_the_midst_of_a_character(self) -> None:
        about = b'{"object":{"id":"pi_1","description":"' + b"\\ud83d" + b'"}}'
        raw = b'{"object":"event","id":"evt_1","type":"x","data":' + about + b"}"
        assert (parse(raw).object_id, event_of(json.loads(raw)).object_id) == ("pi_1", "pi_1")

    @settings(max_examples=200, deadline=None)
    @given(raw=st.binary(max_size=60) | st.text(max_size=60).map(str.encode) | st.just(BODY.encode()))
    def test_never_fails_otherwise(self, raw: bytes) -> None:
        with suppress(NoEvent):
            assert parse(raw).id.startswith("evt_")
