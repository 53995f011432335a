"""What may never stand in a log, looked for in a text that was logged.

Written apart from the scrubber: it knows what such things look like from who makes them, and the very values that were
used. `leaks(text, values)` is for any log: of a journey, of a simulation, of a server.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from chalicelib.adapters.stripe.published_cards import TEST_CARDS
from local.stripe_standin.cards import CARDS

PUBLISHED_CARDS = sorted({*TEST_CARDS, *(card.number for card in CARDS)})
AROUND_CHARACTERS = 60

_GAP = r"[\s,._/-]{0,3}"
_DIGITS_OF_CARDS_MIN = 13
_SHAPES = {
    "a token or key of ours": re.compile(r"purser_(?:token|key|invite)_[\w-]{8}"),
    "a signed token": re.compile(r"\beyJ[\w-]{8,}\.eyJ[\w-]+"),
    "a key of Stripe": re.compile(r"\b[srp]k_(?:test|live)_\w{4}"),
    "a signing secret": re.compile(r"\bwhsec_\w{4}"),
    "a client secret": re.compile(r"\b(?:pi|seti|cs|si)_\w+_secret_?\w*"),
    "a password's hash": re.compile(r"\$argon2\w*\$"),
    "a credential in a header": re.compile(r"\b(?:Bearer|Token|Basic)\s+(?!realm\b)[A-Za-z0-9._~+/-]{16}"),
    "a webhook's signature": re.compile(r"\bv1=[0-9a-f]{32}"),
    "an e-mail": re.compile(r"(?<=[\w.+-])(?:@|%40|\\u0040)[\w-]+(?:\.[\w-]+)+"),
}
# Every place where a card's number could stand: to look for each of them in a whole log takes seconds.
_MANY_DIGITS = re.compile(rf"\d(?:{_GAP}\d){{{_DIGITS_OF_CARDS_MIN - 1},}}")


@dataclass(frozen=True)
class Leak:
    """What was found, and what stands around it."""

    what: str
    around: str


def leaks(text: str, values: Iterable[str] = ()) -> list[Leak]:
    """Every card number, credential, secret and e-mail in the text, and every one of the values."""
    return list(_found(text, [value for value in values if value]))


def _found(text: str, values: list[str]) -> Iterator[Leak]:
    for value in values:
        for place in re.finditer(re.escape(value), text):
            yield Leak("a value that was used", _around(text, place))
    for digits in _MANY_DIGITS.finditer(text):
        for number in PUBLISHED_CARDS:
            for place in _digits(number).finditer(text, *digits.span()):
                yield Leak(f"card {number[:4]}...{number[-4:]}", _around(text, place))
    for what, shape in _SHAPES.items():
        for place in shape.finditer(text):
            yield Leak(what, _around(text, place))


@cache
def _digits(number: str) -> re.Pattern[str]:
    """The number with whatever people put between digits."""
    return re.compile(rf"(?<!\d){_GAP.join(number)}(?!\d)")


def _around(text: str, place: re.Match[str]) -> str:
    return text[max(0, place.start() - AROUND_CHARACTERS) : place.end() + AROUND_CHARACTERS]
