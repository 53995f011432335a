"""Signed bearer tokens: what is ours is read, and every known way to forge one is refused."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.books.identity.bearer import LEEWAY_SECONDS, BadBearer, Bearer, read, signed
from chalicelib.books.identity.model import Person

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
SECOND = int(NOW.timestamp())
SECRET = "a-secret-of-the-tests-that-is-long-enough-for-each-hash-that-there-is"
OTHER_SECRET = "another-secret-of-the-tests-that-is-long-enough-for-each-hash-as-well"
PERSON = Person(user_id=42, email="ada@example.com", first_name="Ada", last_name="Lovelace")

CLAIMS: dict[str, Any] = {
    "iss": "purser",
    "aud": "purser",
    "sub": "42",
    "token_use": "access",
    "iat": SECOND,
    "exp": SECOND + 3600,
}


def made(header: dict[str, Any] | None = None, *, secret: str = SECRET, digest: str = "sha256", **claims: Any) -> str:
    """A token with these claims (None leaves one out), signed with HMAC whatever its header says."""
    body = {name: value for name, value in {**CLAIMS, **claims}.items() if value is not None}
    head = {"alg": "HS256", "typ": "JWT"} if header is None else header
    signing = f"{_part(head)}.{_part(body)}"
    return f"{signing}.{_base64(hmac.new(secret.encode(), signing.encode(), digest).digest())}"


def _part(value: Any) -> str:
    return _base64(json.dumps(value).encode())


def _base64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


class TestReading:
    def test_answers_who_and_what_for(self) -> None:
        token = signed(
            Bearer(person=PERSON, scopes=("platform", "studio")),
            secret=SECRET,
            now=NOW,
            expires_at=NOW + timedelta(hours=1),
        )
        assert read(token, secret=SECRET, now=NOW) == Bearer(person=PERSON, scopes=("platform", "studio"))

    def test_takes_a_token_of_the_tests_own_making(self) -> None:
        """So that the refusals below are for what they say."""
        assert read(made(), secret=SECRET, now=NOW).person.user_id == 42

    def test_needs_no_machine_clock(self) -> None:
        long_ago = datetime(2001, 1, 1, tzinfo=UTC)
        token = signed(Bearer(person=PERSON), secret=SECRET, now=long_ago, expires_at=long_ago + timedelta(hours=1))
        assert read(token, secret=SECRET, now=long_ago).person == PERSON
        with pytest.raises(BadBearer):
            read(token, secret=SECRET, now=NOW)

    def test_never_makes_an_operator(self) -> None:
        assert not hasattr(read(made(is_operator=True), secret=SECRET, now=NOW), "is_operator")


class TestForgeries:
    def test_signed_with_another_secret(self) -> None:
        with pytest.raises(BadBearer):
            read(made(secret=OTHER_SECRET), secret=SECRET, now=NOW)

    @pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", ""])
    def test_signed_with_nothing(self, alg: str) -> None:
        for unsigned in (
            f"{_part({'alg': alg, 'typ': 'JWT'})}.{_part(CLAIMS)}.",
            f"{_part({'alg': alg})}.{_part(CLAIMS)}",
            made({"alg": alg}),
        ):
            with pytest.raises(BadBearer):
                read(unsigned, secret=SECRET, now=NOW)

    @pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "HS384", "HS512", "EdDSA"])
    def test_that_name_another_algorithm_with_our_secret_as_its_key(self, alg: str) -> None:
        with pytest.raises(BadBearer):
            read(made({"alg": alg, "typ": "JWT"}), secret=SECRET, now=NOW)

    @pytest.mark.parametrize("digest", ["sha384", "sha512"])
    def test_signed_with_another_hash_as_its_header_says(self, digest: str) -> None:
        alg = f"HS{hashlib.new(digest).digest_size * 8}"
        forged = made({"alg": alg}, digest=digest)
        assert jwt.decode(forged, SECRET, algorithms=[alg], audience="purser", options={"verify_exp": False})
        with pytest.raises(BadBearer):
            read(forged, secret=SECRET, now=NOW)

    @pytest.mark.parametrize("header", [{}, {"alg": None}, {"alg": ["HS256"]}, {"alg": "HS256", "crit": ["exp"]}])
    def test_with_a_header_that_says_something_else(self, header: dict[str, Any]) -> None:
        with pytest.raises(BadBearer):
            read(made(header), secret=SECRET, now=NOW)

    def test_that_bring_their_own_key(self) -> None:
        own = {"kty": "oct", "k": _base64(OTHER_SECRET.encode())}
        for header in ({"jwk": own}, {"jku": "https://evil.example/keys"}, {"kid": "../../dev/null"}):
            with pytest.raises(BadBearer):
                read(made({"alg": "HS256", **header}, secret=OTHER_SECRET), secret=SECRET, now=NOW)

    def test_with_one_character_of_the_claims_changed(self) -> None:
        header, body, signature = made().split(".")
        changed = _part({**CLAIMS, "sub": "43"})
        assert body != changed
        with pytest.raises(BadBearer):
            read(f"{header}.{changed}.{signature}", secret=SECRET, now=NOW)

    @pytest.mark.parametrize("claim", ["exp", "iat", "sub", "aud", "iss", "token_use"])
    def test_that_miss_a_claim(self, claim: str) -> None:
        without: dict[str, Any] = {claim: None}
        with pytest.raises(BadBearer):
            read(made(**without), secret=SECRET, now=NOW)

    @pytest.mark.parametrize(
        "claims",
        [
            {"iss": "somebody-else"},
            {"aud": "somebody-else"},
            {"aud": ["purser", "somebody-else"]},
            {"token_use": "refresh"},
            {"token_use": ["access"]},
            {"sub": "ada@example.com"},
            {"sub": ""},
            {"sub": "-1"},
            {"sub": "0"},
            {"sub": "²"},
            {"sub": 42},
            {"sub": str(2**53)},
            {"exp": str(SECOND + 3600)},
            {"exp": True},
            {"exp": SECOND + 0.5},
            {"exp": 10**400},
            {"exp": -1},
            {"iat": "now"},
            {"nbf": "soon"},
            {"email": ["a@b.c"]},
            {"given_name": "x" * 255},
            {"scope": {"studio": True}},
            {"scope": " ".join("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopq")},
        ],
        ids=repr,
    )
    def test_with_a_claim_that_is_not_what_it_should_be(self, claims: dict[str, Any]) -> None:
        with pytest.raises(BadBearer):
            read(made(**claims), secret=SECRET, now=NOW)

    @pytest.mark.parametrize(
        "token", ["", ".", "..", "a.b.c", "ä.ö.ü", made() + "x", made() + ".x", "x" * 5000, "\ud800"]
    )
    def test_that_are_no_token_at_all(self, token: str) -> None:
        with pytest.raises(BadBearer):
            read(token, secret=SECRET, now=NOW)

    def test_that_are_longer_than_a_header_should_be(self) -> None:
        with pytest.raises(BadBearer, match="too long"):
            read(made(padding="x" * 4096), secret=SECRET, now=NOW)

    def test_whose_claims_are_no_object_or_too_deep(self) -> None:
        for body in (b"[]", b'"x"', b"[" * 900 + b"]" * 900, b'{"sub":' * 300 + b"1" + b"}" * 300):
            signing = f"{_part({'alg': 'HS256'})}.{_base64(body)}"
            signature = _base64(hmac.new(SECRET.encode(), signing.encode(), "sha256").digest())
            with pytest.raises(BadBearer):
                read(f"{signing}.{signature}", secret=SECRET, now=NOW)

    @given(st.text(max_size=60))
    def test_of_any_text(self, text: str) -> None:
        with pytest.raises(BadBearer):
            read(text, secret=SECRET, now=NOW)


class TestTime:
    def test_ends_a_token_at_its_last_second_and_the_leeway(self) -> None:
        token = made(exp=SECOND)
        assert read(token, secret=SECRET, now=NOW + timedelta(seconds=LEEWAY_SECONDS - 1))
        with pytest.raises(BadBearer, match="expired"):
            read(token, secret=SECRET, now=NOW + timedelta(seconds=LEEWAY_SECONDS))

    def test_allows_clocks_to_differ_by_half_a_minute_at_most(self) -> None:
        assert LEEWAY_SECONDS <= 30

    @pytest.mark.parametrize("claim", ["iat", "nbf"])
    def test_refuses_a_token_of_the_future(self, claim: str) -> None:
        soon: dict[str, Any] = {claim: SECOND + LEEWAY_SECONDS}
        late: dict[str, Any] = {claim: SECOND + LEEWAY_SECONDS + 1}
        assert read(made(**soon), secret=SECRET, now=NOW)
        with pytest.raises(BadBearer):
            read(made(**late), secret=SECRET, now=NOW)
