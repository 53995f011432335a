"""What may never stand in a log, taken out of every text that is about to be written to one.

The last line of defense, behind not logging such things at all. It covers tracebacks and the messages of libraries too.
"""

from __future__ import annotations

import re
from typing import Any

CARD_DIGITS_MIN = 13
CARD_DIGITS_MAX = 19
MASK = "[scrubbed]"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # What a caller or a row contained, as pydantic, msgspec and our own defects print it.
    (re.compile(r"(input_value=).*?(?=, input_type=|$)", re.MULTILINE), rf"\1{MASK}"),
    (re.compile(r"(Invalid enum value ).*?(?= - at `|$)", re.MULTILINE), rf"\1{MASK}"),
    (re.compile(r"((['\"])doc\2: ).*"), rf"\1{MASK}"),
    # Whose names say what they are: password=..., "token": "...", and headers with credentials.
    (
        re.compile(
            r"((?:password|passwd|secret|token|api[_-]?key|card[_-]?number|cvc|authorization)['\"]?\s*[=:]\s*)"
            r"(?:(['\"]).*?\2|(?!Bearer|Token|\[)[^\s,;&)}\]'\"]+)",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(r"\b(Bearer|Token|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
)
# And what only needs to be looked for where one of these words stands: most texts have none of them.
_PATTERNS_WITH: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (("eyJ",), re.compile(r"\beyJ[\w-]*\.[\w-]+\.[\w-]*"), MASK),
    # Our own tokens and keys, wherever they stand.
    (("purser_",), re.compile(r"\bpurser_(?:token|key|invite|recover)_[\w.-]+"), MASK),
    # Stripe's keys, signing secrets and client secrets.
    (("k_",), re.compile(r"\b(?:sk|rk)_[A-Za-z0-9_]{4,}"), MASK),
    (("whsec_",), re.compile(r"\bwhsec_[A-Za-z0-9+/=_]+"), MASK),
    (("_secret_",), re.compile(r"\b\w+_secret_\w+"), MASK),
    (("_secret",), re.compile(r"\bpm_\w+_secret\w*"), MASK),
    (("@", "%40"), re.compile(r"[^\s@<>\"'()\[\]{},;:=&?/\\]{1,64}(?:@|%40)[\w.-]{1,253}\.\w{2,}"), MASK),
    # The query of an address.
    (("?",), re.compile(r"\?[\w%.\-\[\]]+=[^\s'\"<>]*"), f"?{MASK}"),
)
_LONG_NUMBER = re.compile(r"(?<!\d)\d(?:[ -]?\d){12}")
_DIGITS_IN_A_ROW = re.compile(r"\d(?:[ -]?\d){0,18}")


def scrubbed(text: str) -> str:
    """The text without card numbers, secrets, tokens, e-mail addresses and values of queries."""
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    for words, pattern, replacement in _PATTERNS_WITH:
        if any(word in text for word in words):
            text = pattern.sub(replacement, text)
    return _without_cards(text)


def scrubbed_value(name: str, value: Any) -> Any:
    """The same for what stands under one name of a log line. Integers of names in `_id` are our own and stay."""
    if isinstance(value, str):
        # A word of letters alone is none of what the patterns look for, and most of a log line's values are such.
        return value if name == "request_id" or value.isalpha() else scrubbed(value)
    if isinstance(value, dict):
        return {key: scrubbed_value(str(key), inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrubbed_value(name, inner) for inner in value]
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return value if name.endswith("_id") else _scrubbed_number(value)
    return scrubbed(str(value))


def _scrubbed_number(value: int) -> int | str:
    if abs(value) < 10 ** (CARD_DIGITS_MIN - 1):
        return value
    text = str(value)
    return value if scrubbed(text) == text else MASK


def _without_cards(text: str) -> str:
    position = 0
    kept = []
    while found := _LONG_NUMBER.search(text, position):
        end = _card_end(text, found.start())
        if end is None:
            kept.append(text[position : found.start() + 1])
            position = found.start() + 1
        else:
            kept.append(text[position : found.start()] + MASK)
            position = end
    return "".join(kept) + text[position:]


def _card_end(text: str, start: int) -> int | None:
    """Where the longest run that could be a card number ends, if one begins at `start`."""
    run = _DIGITS_IN_A_ROW.match(text, start)
    if run is None:
        return None
    ends = [start + place + 1 for place, letter in enumerate(run.group()) if letter.isdigit()]
    for end in reversed(ends[CARD_DIGITS_MIN - 1 : CARD_DIGITS_MAX]):
        digits = [int(letter) for letter in text[start:end] if letter.isdigit()]
        if not text[end : end + 1].isdigit() and _luhn(digits):
            return end
    return None


def _luhn(digits: list[int]) -> bool:
    """The check digit of ISO/IEC 7812-1."""
    doubled = [digit if place % 2 == 0 else sum(divmod(digit * 2, 10)) for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
