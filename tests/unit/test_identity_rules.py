"""Identity's pure files: roles, e-mails, secrets, passwords, and what may be asked for."""

from __future__ import annotations

import json
import re
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher, extract_parameters
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.books.identity import credentials, roles
from chalicelib.books.identity.credentials import (
    API_KEY_PREFIX,
    TOKEN_PREFIX,
    InvalidEmail,
    InvalidPassword,
    checked_email,
    checked_password,
    email_digest,
    new_secret,
    password_hash,
    password_matches,
    secret_digest,
)
from chalicelib.books.identity.model import (
    Academy,
    AcademyCurrencyNotFound,
    ApiKey,
    Credential,
    InvalidAcademyId,
    InvalidName,
    InvalidScopes,
    InvalidSlug,
    LoginAttempt,
    NewAcademy,
    NewApiKey,
    NewUser,
    Person,
    Position,
    TokenEntry,
    User,
)

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"


class TestRoles:
    def test_bring_what_document_3_recommends(self) -> None:
        assert set(roles.ROLES["billing_administrator"]) == {
            "read_subscription",
            "crud_subscription",
            "crud_plan",
            "read_invoice",
        }
        assert set(roles.ROLES["support_staff"]) == {"read_subscription", "read_invoice", "read_consumable"}
        assert set(roles.ROLES["academy_admin"]) == set(roles.CAPABILITIES)

    def test_and_named_capabilities_add_up(self) -> None:
        assert roles.allowed(role="support_staff", capabilities=["issue_refund", "read_invoice"]) == (
            "read_subscription",
            "read_invoice",
            "issue_refund",
            "read_consumable",
        )

    def test_of_another_release_allow_nothing(self) -> None:
        assert roles.allowed(role="emperor", capabilities=["crud_everything"]) == ()

    @pytest.mark.parametrize(
        ("role", "capabilities", "refusal"),
        [
            ("emperor", (), roles.UnknownRole),
            ("support_staff", ("crud_everything",), roles.UnknownCapability),
            (roles.NO_ROLE, (), roles.NothingAllowed),
        ],
    )
    def test_that_do_not_exist_or_allow_nothing_are_refused(
        self, role: str, capabilities: tuple[str, ...], refusal: type[Exception]
    ) -> None:
        with pytest.raises(refusal):
            Position(role=role, capabilities=capabilities)


class TestEmails:
    @pytest.mark.parametrize(
        "same",
        ["ada@example.com", "Ada@Example.COM", " ada@example.com ", "\uff41\uff44\uff41@example.com"],
    )
    def test_that_differ_in_case_or_composition_are_one(self, same: str) -> None:
        assert email_digest(same) == email_digest("ada@example.com")

    def test_with_an_accent_are_one_however_it_is_typed(self) -> None:
        composed, typed = "jos\u00e9@example.com", "jose\u0301@example.com"
        assert email_digest(composed) == email_digest(typed)
        assert checked_email(typed) == composed

    def test_of_two_people_are_two(self) -> None:
        assert email_digest("ada@example.com") != email_digest("ada@example.org")

    @given(st.text(max_size=40))
    def test_have_one_digest_before_and_after_they_are_checked(self, text: str) -> None:
        try:
            checked = checked_email(f"{text}@example.com")
        except InvalidEmail:
            return
        assert email_digest(checked) == email_digest(f"{text}@example.com")
        assert checked_email(checked) == checked

    @given(st.text(max_size=40))
    def test_are_compared_alike_in_upper_case(self, text: str) -> None:
        folded = unicodedata.normalize("NFKC", text).casefold()
        assert email_digest(folded) == email_digest(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "ada",
            "@example.com",
            "ada@",
            "ada@@example.com",
            "a da@example.com",
            "ada@b",
            "ada@example..com",
            "ada@exa mple.com",
            "ada\n@example.com",
            "ada\x00@example.com",
            "Ada <ada@example.com>",
            "ada@example.com,eve@example.com",
            "ada@example.com\r\nBcc: eve@example.com",
            "a" * 65 + "@example.com",
            "ada@" + "a" * 64 + ".com",
            "ada@" + ("a" * 60 + ".") * 5 + "com",
            "\ud800ada@example.com",
        ],
    )
    def test_that_are_none_are_refused(self, text: str) -> None:
        with pytest.raises(InvalidEmail):
            checked_email(text)


class TestSecrets:
    def test_have_256_random_bits_and_say_what_they_are(self) -> None:
        made = {new_secret(TOKEN_PREFIX) for _ in range(50)}
        assert len(made) == 50
        assert all(re.fullmatch(r"purser_token_[A-Za-z0-9_-]{43}", secret) for secret in made)
        assert new_secret(API_KEY_PREFIX).startswith("purser_key_")

    def test_cannot_be_read_from_what_is_shown_of_those_who_hold_one(self) -> None:
        user = User(id=1, email="a@b.c", first_name="A", last_name="B", password_hash="$argon2id$", created_at=NOW)
        entry = TokenEntry(id="1", digest=secret_digest("s"), created_at=NOW, expires_at=NOW)
        key = ApiKey(id=1, name="n", digest=secret_digest("s"), created_at=NOW)
        new = NewUser(email="a@b.c", first_name="A", password=PASSWORD)
        attempt = LoginAttempt(email="a@b.c", password=PASSWORD)
        shown = repr([user, entry, key, new, attempt])
        assert "argon2id" not in shown
        assert secret_digest("s") not in shown
        assert PASSWORD not in shown


class TestPasswords:
    def test_match_only_themselves(self) -> None:
        stored = password_hash(PASSWORD)
        assert stored.startswith("$argon2id$")
        assert PASSWORD not in stored
        assert password_matches(stored, PASSWORD)
        assert not password_matches(stored, PASSWORD + " ")

    def test_match_however_the_keyboard_composes_them(self) -> None:
        assert password_matches(password_hash("Jose\u0301 y Mar\u00eda"), "Jos\u00e9 y Mari\u0301a")

    @pytest.mark.parametrize("password", ["", "anything at all", "x" * 1000, "\ud800" * 12])
    def test_never_match_where_there_is_none(self, password: str) -> None:
        assert not password_matches(None, password)

    def test_that_no_account_can_have_never_match(self) -> None:
        assert not password_matches(PasswordHasher().hash(""), "\ud800" * 12)

    def test_take_as_long_where_there_is_none(self) -> None:
        """The work is what the parameters say, and they are those of a real hash."""
        assert extract_parameters(credentials._NOBODYS_HASH) == extract_parameters(password_hash(PASSWORD))

    def test_need_no_more_memory_than_a_quarter_of_the_smallest_function(self) -> None:
        assert extract_parameters(password_hash(PASSWORD)).memory_cost * 1024 <= 512 * 1024 * 1024 / 4

    @pytest.mark.parametrize("length", [10, 200])
    def test_of_10_to_200_characters_are_taken(self, length: int) -> None:
        assert checked_password("é" * length) == "é" * length

    @pytest.mark.parametrize("password", ["x" * 9, "x" * 201, "\ud800" * 12])
    def test_that_are_shorter_longer_or_no_text_are_refused(self, password: str) -> None:
        with pytest.raises(InvalidPassword):
            checked_password(password)


class TestCredential:
    def test_is_valid_until_and_not_at_its_end(self) -> None:
        person = Person(user_id=1, email="a@b.c", first_name="A", last_name="B")
        credential = Credential(kind="token", person=person, created_at=NOW, expires_at=NOW + timedelta(seconds=1))
        assert credential.is_valid(NOW + timedelta(microseconds=999_999))
        assert not credential.is_valid(NOW + timedelta(seconds=1))

    def test_without_an_end_is_valid_for_ever(self) -> None:
        person = Person(user_id=1, email="", first_name="key", last_name="")
        assert Credential(kind="api_key", person=person, created_at=NOW).is_valid(NOW + timedelta(days=40_000))

    def test_of_an_older_release_is_read_with_its_defaults(self) -> None:
        old = {
            "kind": "token",
            "person": {"user_id": 1, "email": "a@b.c", "first_name": "A", "last_name": "B", "nickname": "x"},
            "created_at": "2026-11-21T12:00:00Z",
        }
        read = Credential.model_validate_json(json.dumps(old))
        assert (read.scopes, read.is_operator, read.academy_id, read.expires_at) == ((), False, None, None)


class TestWhatIsAskedFor:
    def test_is_read_the_way_it_is_meant(self) -> None:
        user = NewUser(email=" Ada@Example.com ", first_name=" Ada ", last_name=" ")
        assert (user.email, user.first_name, user.last_name) == ("Ada@Example.com", "Ada", "")
        assert NewAcademy(name="A", slug="a", main_currency="usd").main_currency == "USD"

    @pytest.mark.parametrize("slug", ["", "Downtown", "down town", "123", "ä", "x" * 61, "a/b", "a#b", "²", "-1", "_"])
    def test_refuses_what_is_no_slug(self, slug: str) -> None:
        with pytest.raises(InvalidSlug):
            NewAcademy(name="A", slug=slug)

    @pytest.mark.parametrize("slug", ["downtown", "down-town_2", "2nd", "x" * 60, "a-"])
    def test_takes_what_is_one(self, slug: str) -> None:
        assert NewAcademy(name="A", slug=slug).slug == slug

    @pytest.mark.parametrize("name", ["", "   ", "x" * 101, "a\nb", "a\x00", "\ud800"])
    def test_refuses_what_is_no_name(self, name: str) -> None:
        with pytest.raises(InvalidName):
            NewAcademy(name=name, slug="a")

    @pytest.mark.parametrize("ident", [0, -1, 2**53])
    def test_refuses_an_id_that_json_clients_would_not_keep(self, ident: int) -> None:
        with pytest.raises(InvalidAcademyId):
            NewAcademy(name="A", slug="a", id=ident)

    def test_refuses_a_currency_that_there_is_not(self) -> None:
        with pytest.raises(AcademyCurrencyNotFound):
            NewAcademy(name="A", slug="a", main_currency="XXX")

    @pytest.mark.parametrize("scopes", [(), ("studio", "studio"), ("a b",), ("",), ("x" * 61,), ("Studio",)])
    def test_refuses_scopes_that_are_none(self, scopes: tuple[str, ...]) -> None:
        with pytest.raises(InvalidScopes):
            NewApiKey(name="till", scopes=scopes)

    def test_keeps_the_academys_own_shape(self) -> None:
        academy = Academy(id=1, slug="a", name="A", created_at=NOW)
        assert Academy.model_validate_json(academy.model_dump_json()) == academy
