"""Changes of identity: one conditional transaction each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.books.identity import credentials, queries, store
from chalicelib.books.identity.model import (
    Academy,
    ApiKey,
    Credential,
    LoginAttempt,
    Membership,
    NewAcademy,
    NewApiKey,
    NewUser,
    Person,
    Position,
    TokenEntry,
    User,
)
from chalicelib.books.identity.roles import allowed
from chalicelib.books.identity.store import AcademyIdTaken, AlreadyEnded, IdTaken, TooMany, UserChanged
from chalicelib.dynamo import keys
from chalicelib.dynamo.rows import Key, load
from chalicelib.dynamo.table import Table
from chalicelib.dynamo.writes import Put, Write, commit
from chalicelib.kernel.errors import Defect, DomainError, Kind
from chalicelib.kernel.ids import new_id

TOKEN_LIFE = timedelta(days=30)
LOGIN_WINDOW_SECONDS = 3600
LOGINS_PER_EMAIL_MAX = 10
LOGINS_PER_SOURCE_MAX = 100
IDS_TRIED_MAX = 5
COUNTS_TRIED_MAX = 20
TOKENS_ENDED_AT_ONCE_MAX = 40
NOBODY = 0


class WrongLogin(DomainError):
    """An unknown e-mail, a wrong password, or a person without one: nobody is told which."""

    kind = Kind.UNAUTHENTICATED
    slug = "wrong-login"
    detail = "The e-mail or the password is wrong."


class TooManyLogins(DomainError):
    kind = Kind.TOO_MANY
    slug = "too-many-logins"
    detail = "Too many wrong logins. Try again in {minutes} minutes."

    def __init__(self, *, seconds: int) -> None:
        self.retry_after_seconds = seconds
        super().__init__(minutes=-(-seconds // 60))


class UserExists(DomainError):
    kind = Kind.CONFLICT
    slug = "user-already-exists"
    detail = "There is a user with this e-mail already, whose password stays as it is. Leave the password out."


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new API key: what names it, and the secret that is shown this once."""

    id: int
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class SignedIn:
    user: User
    expires_at: datetime
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Admission:
    """An account and its first token before they are in the table: `writes` put both, or raise EmailTaken, IdTaken."""

    user: User
    expires_at: datetime
    writes: tuple[Write, ...]
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Hired:
    user: User
    membership: Membership
    expires_at: datetime
    secret: str = field(repr=False)


def create_user(table: Table, new: NewUser, *, now: datetime) -> User:
    """Make a person. Raises EmailTaken."""
    hashed = None if new.password is None else credentials.password_hash(new.password)
    for _ in range(IDS_TRIED_MAX):
        user = _user(new, hashed, now)
        try:
            commit(table, store.new_user(user))
        except IdTaken:
            continue
        return user
    raise _no_free_id()


def admission(new: NewUser, *, now: datetime) -> Admission:
    """An account with its password and a token, for a transaction that belongs to somebody else's change."""
    hashed = None if new.password is None else credentials.password_hash(new.password)
    user = _user(new, hashed, now)
    expires_at = now + TOKEN_LIFE
    secret, token = _new_token(user, (), now=now, expires_at=expires_at)
    return Admission(user, expires_at, (*store.new_user(user), *token), secret)


def count_source(table: Table, source: str | None, *, now: datetime) -> None:
    """Count a try to get in from a network address, with those of logins. Raises TooManyLogins."""
    if source is not None:
        _count(table, store.source_logins_key(source), limit=LOGINS_PER_SOURCE_MAX, now=now)


def uncount_source(table: Table, source: str | None) -> None:
    """The try was right: it counts no more."""
    if source is not None:
        _uncount(table, store.source_logins_key(source))


def set_password(table: Table, user_id: int, password: str) -> None:
    """Set a password and end every token of the person. Raises InvalidPassword, UserNotFound, UserChanged.

    The new version of the user comes first: a login that checked the old password cannot make a token after it.
    """
    hashed = credentials.password_hash(password)
    user, version = queries.user_and_version(table, user_id)
    commit(table, [store.changed_user(user.model_copy(update={"password_hash": hashed}), version=version)])
    end_tokens(table, user_id)


def set_operator(table: Table, user_id: int, *, is_operator: bool) -> User:
    """Make somebody an operator from their next token on, or no longer one from now on. Answers the user.

    Tokens say whether their holder is one, so whoever no longer is loses them all. Raises UserNotFound, UserChanged.
    """
    user, version = queries.user_and_version(table, user_id)
    changed = user.model_copy(update={"is_operator": is_operator})
    commit(table, [store.changed_user(changed, version=version)])
    if not is_operator:
        end_tokens(table, user_id)
    return changed


def create_academy(table: Table, new: NewAcademy, *, now: datetime) -> Academy:
    """Make an academy, with a new id or the one that an importer keeps. Raises AcademySlugTaken, AcademyIdTaken."""
    for _ in range(IDS_TRIED_MAX):
        academy = Academy(
            id=new.id or new_id(now), slug=new.slug, name=new.name, main_currency=new.main_currency, created_at=now
        )
        try:
            commit(table, store.new_academy(academy, id_taken=lambda old: IdTaken()))
        except IdTaken as error:
            if new.id is not None:
                raise AcademyIdTaken(academy_id=new.id) from error
            continue
        return academy
    raise _no_free_id()


def add_member(table: Table, position: Position, *, user_id: int, academy_id: int) -> Membership:
    """Make a person staff of an academy, or change what they may do there. Raises AcademyNotFound, UserNotFound."""
    membership = _membership(position, user_id=user_id, academy_id=academy_id)
    commit(
        table,
        [store.academy_exists(academy_id), store.user_exists(user_id), store.member(membership, position)],
    )
    return membership


def hire(table: Table, new: NewUser, position: Position, *, academy_id: int, now: datetime) -> Hired:
    """Make somebody staff, with an account if they have none, and a token, in one transaction.

    Raises AcademyNotFound, and UserExists where a password was given for somebody who has an account.
    """
    known = queries.user_by_email(table, new.email)
    if known is not None and new.password is not None:
        raise UserExists
    hashed = None if new.password is None else credentials.password_hash(new.password)
    for _ in range(IDS_TRIED_MAX):
        user = known or _user(new, hashed, now)
        membership = _membership(position, user_id=user.id, academy_id=academy_id)
        secret, token = _new_token(user, (), now=now, expires_at=now + TOKEN_LIFE)
        account: list[Write] = [store.user_exists(user.id)] if known else list(store.new_user(user))
        try:
            commit(table, [store.academy_exists(academy_id), *account, store.member(membership, position), *token])
        except IdTaken:
            continue
        return Hired(user, membership, now + TOKEN_LIFE, secret)
    raise _no_free_id()


def remove_member(table: Table, *, user_id: int, academy_id: int) -> None:
    """From now on the person is no staff of the academy. Raises UserNotFound where they were none."""
    commit(table, [store.member_left(user_id, academy_id)])


def issue_token(table: Table, user: User, *, now: datetime, expires_at: datetime, scopes: tuple[str, ...] = ()) -> str:
    """Make a token for the user as they are now, and answer its secret, which is stored nowhere.

    Raises UserNotFound, and UserChanged where somebody changed the user at the same moment.
    """
    current, version = queries.user_and_version(table, user.id)
    secret, token = _new_token(current, scopes, now=now, expires_at=expires_at)
    unchanged = store.user_as_read(user.id, version=version, refused=lambda old: UserChanged(user_id=user.id))
    commit(table, [unchanged, *token])
    return secret


def revoke_token(table: Table, secret: str) -> bool:
    """End the token that this secret is for. False where it had ended before."""
    digest = credentials.secret_digest(secret)
    row = table.get(store.credential_key(digest))
    if row is None:
        return False
    return end_token(table, load(Credential, row).person.user_id, digest=digest)


def end_token(table: Table, user_id: int, *, digest: str) -> bool:
    """End a person's token by its hash. False where it had ended before."""
    token_id = credentials.token_id(digest)
    try:
        commit(table, store.token_ended(user_id, digest=digest, token_id=token_id))
    except AlreadyEnded:
        commit(table, [store.token_unlisted(user_id, token_id=token_id)])
        return False
    return True


def end_tokens(table: Table, user_id: int) -> int:
    """End every token of a person. Answers how many there were."""
    ended = 0
    while True:
        rows = table.query(keys.user(user_id), prefix=store.TOKENS_PREFIX, limit=TOKENS_ENDED_AT_ONCE_MAX).items
        if not rows:
            return ended
        for entry in (load(TokenEntry, row) for row in rows):
            ended += end_token(table, user_id, digest=entry.digest)


def issue_api_key(table: Table, new: NewApiKey, *, now: datetime) -> IssuedKey:
    """Make an API key, for an academy or for none. Raises AcademyNotFound."""
    secret = credentials.new_secret(credentials.API_KEY_PREFIX)
    bound: list[Write] = [] if new.academy_id is None else [store.academy_exists(new.academy_id)]
    for _ in range(IDS_TRIED_MAX):
        key_id = new_id(now)
        try:
            commit(table, [*bound, *_new_api_key(new, key_id, secret, now)])
        except IdTaken:
            continue
        return IssuedKey(key_id, secret)
    raise _no_free_id()


def end_api_key(table: Table, key_id: int) -> None:
    """From now on the key lets nobody in. Raises ApiKeyNotFound where there is none, or none any more."""
    try:
        commit(table, store.api_key_ended(queries.api_key(table, key_id)))
    except AlreadyEnded as error:
        raise queries.ApiKeyNotFound(key_id=key_id) from error


def login(table: Table, attempt: LoginAttempt, *, now: datetime) -> SignedIn:
    """Check a password and make a token. Raises WrongLogin, TooManyLogins.

    The attempt is counted before the password is tried, so that attempts at once cannot pass the limit together, and is
    taken off again when the password was right. The source is counted first: an address that was shut out uses up
    nobody's attempts. Counted is by e-mail whether or not somebody has it.
    """
    counters = [] if attempt.source is None else [(store.source_logins_key(attempt.source), LOGINS_PER_SOURCE_MAX)]
    counters.append((store.email_logins_key(attempt.email), LOGINS_PER_EMAIL_MAX))
    for key, limit in counters:
        _count(table, key, limit=limit, now=now)
    user = _holder(table, attempt.email)
    if not credentials.password_matches(None if user is None else user.password_hash, attempt.password) or user is None:
        raise WrongLogin
    for key, _ in counters:
        _uncount(table, key)
    return _sign_in(table, user, now=now)


def _holder(table: Table, email: str) -> User | None:
    """Who has this e-mail, in as many reads where nobody has: the time that it takes tells nobody which it was."""
    user = queries.user_by_email(table, email)
    if user is None:
        table.get(store.user_key(NOBODY))
    return user


def _sign_in(table: Table, user: User, *, now: datetime) -> SignedIn:
    """A token for the user whose password was right, unless the password was changed in between."""
    current, version = queries.user_and_version(table, user.id)
    if current.password_hash != user.password_hash:
        raise WrongLogin
    expires_at = now + TOKEN_LIFE
    secret, token = _new_token(current, (), now=now, expires_at=expires_at)
    commit(table, [store.user_as_read(user.id, version=version, refused=lambda old: WrongLogin()), *token])
    return SignedIn(current, expires_at, secret)


def _count(table: Table, key: Key, *, limit: int, now: datetime) -> None:
    """One more in the hour that began with the first attempt. Raises TooManyLogins at the limit."""
    for _ in range(COUNTS_TRIED_MAX):
        try:
            commit(table, [store.counted(key, limit=limit, now=now)])
            return
        except TooMany as full:
            seconds = int(full.old.get("ends_at", 0)) - int(now.timestamp())
            if seconds > 0:
                raise TooManyLogins(seconds=seconds) from full
        try:
            commit(table, [store.first_counted(key, now=now, seconds=LOGIN_WINDOW_SECONDS)])
            return
        except TooMany:
            continue  # somebody else began the hour: count in theirs
    raise TooManyLogins(seconds=LOGIN_WINDOW_SECONDS)


def _uncount(table: Table, key: Key) -> None:
    try:
        commit(table, [store.uncounted(key)])
    except TooMany:
        return  # the row was cleaned up meanwhile, and its count with it


def _user(new: NewUser, hashed: str | None, now: datetime) -> User:
    return User(
        id=new_id(now),
        email=new.email,
        first_name=new.first_name,
        last_name=new.last_name,
        is_operator=new.is_operator,
        password_hash=hashed,
        created_at=now,
    )


def _membership(position: Position, *, user_id: int, academy_id: int) -> Membership:
    capabilities = allowed(role=position.role, capabilities=position.capabilities)
    return Membership(academy_id=academy_id, user_id=user_id, role=position.role, capabilities=capabilities)


def _new_token(user: User, scopes: tuple[str, ...], *, now: datetime, expires_at: datetime) -> tuple[str, list[Put]]:
    secret = credentials.new_secret(credentials.TOKEN_PREFIX)
    digest = credentials.secret_digest(secret)
    credential = Credential(
        kind="token",
        person=user.person,
        scopes=scopes,
        is_operator=user.is_operator,
        created_at=now,
        expires_at=expires_at,
    )
    entry = TokenEntry(id=credentials.token_id(digest), digest=digest, created_at=now, expires_at=expires_at)
    return secret, store.new_token(credential, entry)


def _new_api_key(new: NewApiKey, key_id: int, secret: str, now: datetime) -> list[Put]:
    holder = Person(user_id=key_id, email="", first_name=new.name, last_name="")
    credential = Credential(kind="api_key", person=holder, scopes=new.scopes, academy_id=new.academy_id, created_at=now)
    digest = credentials.secret_digest(secret)
    listed = ApiKey(
        id=key_id, name=new.name, academy_id=new.academy_id, scopes=new.scopes, digest=digest, created_at=now
    )
    return store.new_api_key(credential, listed)


def _no_free_id() -> Defect:
    return Defect(f"{IDS_TRIED_MAX} new ids in a row were taken")
