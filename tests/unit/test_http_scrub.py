"""What may never stand in a log."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.entrypoints._scrub import MASK, scrubbed, scrubbed_value


class TestScrubbed:
    @pytest.mark.parametrize(
        ("text", "secret"),
        [
            ("card 4242424242424242 declined", "4242424242424242"),
            ("card 4242 4242 4242 4242.", "4242 4242"),
            ("4242-4242-4242-4242", "4242-4242"),
            ("amex 378282246310005", "378282246310005"),
            ("amex 3782 822463 10005", "822463"),
            ("ref 12 4242424242424242", "4242424242424242"),
            ("4242424242424242 12", "4242424242424242"),
            ("at 1767225600 4242424242424242", "4242424242424242"),
            ("'4000056655665556,4242424242424242'", "5665"),
            ("6011 1111 1111 1117 and 5555-5555-5555-4444", "5555"),
            ("LookupError: purser_token_7NfMC05cbqvSpYP-Bh_oNqUVB6sT3oe", "7NfMC05"),
            ("LookupError: purser_token_7NfMC05cbqvSpYP-Bh_oNqUVB6sT3oe", "Bh_oNq"),
            ("'purser_key_wHiK04mrfk9rA'", "wHiK"),
            ("GET /v1/auth/invite/purser_invite_00dded0ca00b6dCtSlQ-I7W/accept", "CtSlQ"),
            ("GET /v1/payments/recover/purser_recover_5.12.dCtSlQ-I7W_x", "CtSlQ"),
            ("key sk_test_4eC39HqLyjWDarjtT1zdp7dc", "4eC39"),
            ("key rk_live_abc123", "abc123"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "MfKQ9"),
            ("client_secret pi_3MtwBwLkdIwHu7ix28a3tqPa_secret_YrKJUKribcBjcG8HVhfZluoGH", "YrKJ"),
            ("seti_1_secret_abc", "_secret_abc"),
            ("pm_1abc_secret", "pm_1abc"),
            ("write to ada.lovelace+x@mail.example.com now", "lovelace"),
            ("ada%40example.com", "ada"),
            ("Authorization: Bearer abc.def-123", "abc.def"),
            ("authorization: Token 0a1b2c3d4e5f", "0a1b2c"),
            ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln here", "eyJzdWIi"),
            ("{'password': 'correct horse'}", "correct"),
            ('{"password": "correct horse"}', "correct"),
            ("X-Api-Key: abcdefgh", "abcdefgh"),
            ("GET /v1/plan?email=x&name=ada HTTP/1.1", "name=ada"),
            (
                "1 validation error\n  Input should be a string [type=s, input_value='hunter2, yes', input_type=str]",
                "hunter2",
            ),
            ("Invalid enum value 'hunter2, 'yes' - at `$.status`", "hunter2"),
            ("""never happens: {'version': 3, 'doc': '{"name": "Ada"}'}""", "Ada"),
        ],
    )
    def test_hides_what_is_secret(self, text: str, secret: str) -> None:
        assert secret not in scrubbed(text)
        assert MASK in scrubbed(text)

    @pytest.mark.parametrize(
        "text",
        [
            "invoice 4242424242424241 of plan 12",
            "pi_3MtwBwLkdIwHu7ix28a3tqPa of cus_123",
            "at 2030-01-31T12:00:00Z in 12.5 ms",
            'File "/var/task/chalicelib/flows/pay.py", line 12, in pay',
            "key 0f1e2d3c4b5a",
            "what? no",
        ],
    )
    def test_leaves_the_rest(self, text: str) -> None:
        assert scrubbed(text) == text

    @given(st.text(), st.integers(min_value=10**11, max_value=10**17), st.text(alphabet=" -\n.,:abc%", max_size=5))
    def test_hides_every_card_number_wherever_it_stands(self, before: str, stem: int, gap: str) -> None:
        number = _with_check_digit(str(stem))
        for text in (f"{gap} {number}{gap}", f"{gap}x{number}x", f"{before}\n{number}\n"):
            assert number not in scrubbed(text)


class TestScrubbedValue:
    def test_goes_through_lists_and_dictionaries(self) -> None:
        found = scrubbed_value("extra", {"to": ["a@b.example", {"n": 4242424242424242}], "ok": True, "ms": 1.5})
        assert found == {"to": [MASK, {"n": MASK}], "ok": True, "ms": 1.5}

    def test_leaves_our_own_ids_as_they_are(self) -> None:
        assert scrubbed_value("user_id", 4242424242424242) == 4242424242424242
        assert scrubbed_value("request_id", "4242424242424242") == "4242424242424242"

    def test_hides_in_objects_of_other_types(self) -> None:
        assert scrubbed_value("error", ValueError("of a@b.example")) == f"of {MASK}"


def _with_check_digit(stem: str) -> str:
    total = 0
    for place, letter in enumerate(reversed(stem)):
        digit = int(letter) * (2 if place % 2 == 0 else 1)
        total += digit - 9 if digit > 9 else digit
    return stem + str(-total % 10)
