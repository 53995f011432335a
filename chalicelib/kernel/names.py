"""Names that people give: what of them can be shown."""

from __future__ import annotations

import unicodedata

UNSEEN = ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
"""Control characters, half of a pair, line ends. Joiners (Cf) are shown: names in Persian and Hindi need them."""


def is_shown(text: str) -> bool:
    """Whether each of its characters can be shown on a line."""
    return all(unicodedata.category(character) not in UNSEEN for character in text)
