"""E-mails as they are compared, secrets as they are stored, passwords as they are checked.

Tokens and API keys are 256 random bits, so a plain SHA-256 of them cannot be guessed back and needs neither salt nor a
slow hash; it is the row's key, so that one read finds the caller and a stolen table lets nobody in. Finding a row by a
hash tells a caller nothing through its timing: nearness in the hash is no nearness in the secret. Passwords are chosen
by people and get argon2id (RFC 9106) with the library's defaults: 64 MiB for some 50 ms, which a Lambda of 512 MB has.
"""

from __future__ import annotations

import hashlib
import secrets
import unicodedata

from chalicelib.kernel.errors import DomainError

EMAIL_CHARACTERS_MAX = 254  # RFC 5321, section 4.5.3.1.3, less its brackets
LOCAL_PART_CHARACTERS_MAX = 64
PASSWORD_CHARACTERS_MIN = 10
PASSWORD_CHARACTERS_MAX = 200
SECRET_BYTES = 32
SECRET_CHARACTERS_MAX = 100

TOKEN_PREFIX = "purser_token_"  # noqa: S105  # tells people and secret scanners what they found
API_KEY_PREFIX = "purser_key_"
INVITE_PREFIX = "purser_invite_"

_NOBODYS_HASH = "$argon2id$v=19$m=65536,t=3,p=4$JQb7aVMVDUHKXJl0Y1C1pQ$nJWaKAULISmHTFkKYQBmBcsiVsykYBGWZMvJ5i6OoZc"
"""What a password is held against where there is none, so that an unknown e-mail takes as long as a known one."""


class InvalidEmail(DomainError):
    slug = "invalid-email"
    detail = "This is no e-mail address."


class InvalidPassword(DomainError):
    slug = "invalid-password"
    detail = f"A password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters."


def checked_email(text: str) -> str:
    """The address as mail is sent to it: composed (NFKC) and without blanks around it. Raises InvalidEmail."""
    email = unicodedata.normalize("NFKC", text[: EMAIL_CHARACTERS_MAX * 2]).strip()
    local, at, domain = email.rpartition("@")
    if not at or len(email) > EMAIL_CHARACTERS_MAX or not 1 <= len(local) <= LOCAL_PART_CHARACTERS_MAX:
        raise InvalidEmail
    if any(character.isspace() or not character.isprintable() or character in '<>",;:\\[]()' for character in email):
        raise InvalidEmail
    labels = domain.split(".")
    if "@" in local or len(labels) < 2 or not all(0 < len(label) <= 63 for label in labels):
        raise InvalidEmail  # no mail comes to a domain without a dot (RFC 7085)
    return email


def email_digest(email: str) -> str:
    """The key of an e-mail: the same for addresses that differ only in case or composition."""
    same = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", email).strip().casefold())
    return hashlib.sha256(same.encode(errors="surrogatepass")).hexdigest()


def new_secret(prefix: str) -> str:
    return prefix + secrets.token_urlsafe(SECRET_BYTES)


def secret_digest(secret: str) -> str:
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def token_id(digest: str) -> str:
    """A name for a token that may be shown and listed: part of its hash."""
    return digest[:24]


def checked_password(password: str) -> str:
    """The password itself. Raises InvalidPassword."""
    if not PASSWORD_CHARACTERS_MIN <= len(password) <= PASSWORD_CHARACTERS_MAX or not _is_text(password):
        raise InvalidPassword
    return password


def password_hash(password: str) -> str:
    from argon2 import PasswordHasher

    return PasswordHasher().hash(_composed(checked_password(password)))


def password_matches(stored: str | None, password: str) -> bool:
    """Whether this is the password. Takes as long where nothing is stored, and then is never true."""
    from argon2 import PasswordHasher
    from argon2.exceptions import VerifyMismatchError

    readable = _is_text(password) and len(password) <= PASSWORD_CHARACTERS_MAX
    try:
        PasswordHasher().verify(stored or _NOBODYS_HASH, _composed(password) if readable else "")
    except VerifyMismatchError:
        return False
    return stored is not None and readable


def _composed(password: str) -> str:
    """One password however the keyboard composes it (NIST SP 800-63B, section 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def _is_text(text: str) -> bool:
    """False for half of a surrogate pair, which JSON can carry and UTF-8 cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
