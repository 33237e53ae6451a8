"""Sign-up, verification, recovery, export and erasure of accounts.

Owns the learner key: 32 random bytes that seal every word of a learner's own in the record, and that only his password
or his recovery code unwraps, each together with the account's erasure key. Refuses to tell an unknown account from a
wrong password, by answer or by work done, and to hold a database connection while argon2 runs or is waited for.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Update, delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from models.accounts import wraps
from models.accounts.erasure_keys import ErasureKeys
from models.accounts.lookup import LookupKey
from models.accounts.passwords import Passwords
from models.accounts.tables import User
from models.database import Database, now
from models.errors import AccountExists, InvalidCredentials, InvalidRequest, NoSuchThing
from models.ids import new_id
from models.sealing import SealBroken, new_key, seal, unseal
from models.vocabulary import LANGUAGES

MAX_TARGET_LANGUAGES = 16
USERNAME_PURPOSE = "user name"
EMAIL_PURPOSE = "e-mail address"
_NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class NewAccount:
    """What a learner gives at sign-up. Languages are ISO 639-1 codes."""

    username: str = field(repr=False)
    email: str = field(repr=False)
    password: str = field(repr=False)
    primary_language: str
    target_languages: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class SignedUp:
    """A new account. ``recovery_code`` is shown once and kept nowhere."""

    user_id: str
    recovery_code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unlocked:
    """An account whose password was right. ``languages`` are the ones to expect, the primary one first.

    ``password_hash`` is the one that was right: a session opens only while the account still has it.
    """

    user_id: str
    learner_key: bytes = field(repr=False)
    password_hash: str = field(repr=False)
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _NewPassword:
    """What the record keeps of a password: its hash, and the learner key wrapped under it."""

    password_hash: str = field(repr=False)
    password_wrap: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class AccountRow:
    """Everything durable about an account; the names stay sealed until ``reveal`` is given the learner key."""

    user_id: str
    primary_language: str
    target_languages: tuple[str, ...]
    created_on: date
    sealed_username: bytes = field(repr=False)
    sealed_email: bytes = field(repr=False)


class Accounts:
    """The accounts of this deployment. ``lookup`` finds them, ``passwords`` does the slow work.

    ``erasure_keys`` holds what opens them beside the password, and is destroyed with the account.
    """

    def __init__(self, passwords: Passwords, lookup: LookupKey, erasure_keys: ErasureKeys) -> None:
        self._passwords = passwords
        self._lookup = lookup
        self._erasure_keys = erasure_keys
        # A recovery for nobody unwraps this one, in vain.
        self._decoy_wrap = wraps.wrap(new_key(), new_key(), salt=wraps.new_salt())

    def sign_up(self, db: Session, new: NewAccount) -> SignedUp:
        """Store a new account; ``db`` is first used after the password was hashed.

        Raises ``AccountExists`` (address or name taken), ``InvalidRequest``, ``RateLimited``.
        """
        _validate(new)
        learner_key, code, salt = new_key(), wraps.new_recovery_code(), wraps.new_salt()
        user_id, erasure_key = new_id(), new_key()
        made = self._new_password(new.password, learner_key, erasure_key)
        recovery = wraps.joined(wraps.recovery_key(code, salt), erasure_key)
        user = User(
            user_id=user_id,
            email_hash=self._lookup.email(new.email),
            username_hash=self._lookup.username(new.username),
            sealed_username=seal(learner_key, new.username.encode(), purpose=USERNAME_PURPOSE),
            sealed_email=seal(learner_key, new.email.encode(), purpose=EMAIL_PURPOSE),
            password_hash=made.password_hash,
            password_wrap=made.password_wrap,
            recovery_wrap=wraps.wrap(learner_key, recovery, salt=salt),
            primary_language=new.primary_language,
            target_languages=" ".join(dict.fromkeys(new.target_languages)),
            created_on=now().date(),
        )
        self._erasure_keys.keep(user_id, erasure_key)
        db.add(user)
        try:
            db.flush()
        except IntegrityError:
            self._erasure_keys.destroy(user_id)
            raise AccountExists from None
        return SignedUp(user.user_id, code)

    def verify(self, database: Database, email: str, password: str) -> Unlocked:
        """Return the account with this address and password, and its learner key.

        An unknown address costs as many argon2 runs as a wrong password: one. Raises ``InvalidCredentials``, also when
        the account's erasure key is gone, and ``RateLimited`` when too many wait for a run.
        """
        user = self._by_email(database, email)
        if not self._passwords.matches(password, user and user.password_hash) or user is None:
            raise InvalidCredentials
        erasure_key = self._erasure_keys.get(user.user_id)
        if erasure_key is None:
            raise InvalidCredentials
        cost, salt = wraps.parameters(user.password_wrap)
        wrapping_key = wraps.joined(self._passwords.derive(password, salt, cost), erasure_key)
        learner_key = wraps.unwrap(user.password_wrap, wrapping_key)
        password_hash = user.password_hash
        if self._passwords.needs_rehash(password_hash):
            made = self._new_password(password, learner_key, erasure_key)
            # Only over the hash that was verified: a recovery, or a rehash, that came in between stands.
            unchanged = update(User).where(User.user_id == user.user_id, User.password_hash == password_hash)
            if not _store(database, made, unchanged):
                return self.verify(database, email, password)
            password_hash = made.password_hash
        return Unlocked(user.user_id, learner_key, password_hash, _languages(user))

    def recover(self, database: Database, email: str, code: str, new_password: str) -> str:
        """Set a new password with the recovery code; names stay readable. Returns the account's id.

        The code stays good. The caller ends the account's open sessions. Raises ``InvalidCredentials`` for an unknown
        address and for a wrong code, after the same work, ``InvalidRequest``, and ``RateLimited`` when too many wait
        for a run of argon2.
        """
        _validate_password(new_password)
        user = self._by_email(database, email)
        wrapped = user.recovery_wrap if user else self._decoy_wrap
        erasure_key = self._erasure_keys.get(user.user_id if user else _NOBODY) or new_key()
        _, salt = wraps.parameters(wrapped)
        try:
            learner_key = wraps.unwrap(wrapped, wraps.joined(wraps.recovery_key(code, salt), erasure_key))
        except SealBroken:
            raise InvalidCredentials from None
        if user is None:
            raise InvalidCredentials
        made = self._new_password(new_password, learner_key, erasure_key)
        if not _store(database, made, update(User).where(User.user_id == user.user_id)):
            raise InvalidCredentials
        return user.user_id

    def _by_email(self, database: Database, email: str) -> User | None:
        with database.transaction() as db:
            return db.scalar(select(User).where(User.email_hash == self._lookup.email(email)))

    def forget(self, user_id: str) -> bool:
        """Destroy the erasure key: nothing sealed of this account opens any more, here or in any copy of the database.

        Comes before its rows are erased, so that an erasure that is interrupted cannot forget it. Says whether there
        was one.
        """
        return self._erasure_keys.destroy(user_id)

    def _new_password(self, password: str, learner_key: bytes, erasure_key: bytes) -> _NewPassword:
        salt = wraps.new_salt()
        cost = self._passwords.cost
        password_hash = self._passwords.hash(password)
        wrapping_key = wraps.joined(self._passwords.derive(password, salt, cost), erasure_key)
        return _NewPassword(password_hash, wraps.wrap(learner_key, wrapping_key, salt=salt, cost=cost))


def get(db: Session, user_id: str) -> AccountRow:
    """Return everything durable about an account. Raises ``NoSuchThing``."""
    user = db.get(User, user_id)
    if user is None:
        raise NoSuchThing
    return AccountRow(
        user_id=user.user_id,
        primary_language=user.primary_language,
        target_languages=tuple(user.target_languages.split()),
        created_on=user.created_on,
        sealed_username=user.sealed_username,
        sealed_email=user.sealed_email,
    )


def ids(db: Session) -> list[str]:
    """Return the ids of all accounts."""
    return list(db.scalars(select(User.user_id)))


def reveal(account: AccountRow, learner_key: bytes) -> tuple[str, str]:
    """Return user name and e-mail address in the clear. Raises ``SealBroken`` when the key is another's."""
    return (
        unseal(learner_key, account.sealed_username, purpose=USERNAME_PURPOSE).decode(),
        unseal(learner_key, account.sealed_email, purpose=EMAIL_PURPOSE).decode(),
    )


def hold(db: Session, user_id: str) -> bool:
    """Lock the account until this transaction ends, so that no session opens for it; say whether it exists."""
    touched = update(User).where(User.user_id == user_id).values(user_id=user_id)
    return cast("CursorResult[Any]", db.execute(touched.execution_options(synchronize_session=False))).rowcount == 1


def ask_erasure(db: Session, user_id: str) -> None:
    """Note durably that an account is to be erased. Raises ``NoSuchThing`` when it is gone already."""
    asked = update(User).where(User.user_id == user_id).values(erasure_asked_at=now())
    result = cast("CursorResult[Any]", db.execute(asked.execution_options(synchronize_session=False)))
    if result.rowcount != 1:
        raise NoSuchThing


def erasures_asked_before(db: Session, moment: datetime) -> list[str]:
    """Return the accounts whose erasure was asked for before a moment and is not done."""
    return list(db.scalars(select(User.user_id).where(User.erasure_asked_at < moment)))


def erase(db: Session, user_id: str) -> bool:
    """Delete the account and, by cascade, its sessions and documents' metadata. Says whether it existed.

    The caller purges the account's sessions first; receipts hold no trace of the account and stay.
    """
    result = cast("CursorResult[Any]", db.execute(delete(User).where(User.user_id == user_id)))
    return result.rowcount == 1


def _store(database: Database, made: _NewPassword, on: Update) -> bool:
    """Write a password into the one account that ``on`` names; say whether there was one."""
    change = on.values(password_hash=made.password_hash, password_wrap=made.password_wrap)
    with database.transaction() as db:
        result = db.execute(change.execution_options(synchronize_session=False))
        return cast("CursorResult[Any]", result).rowcount == 1


def _languages(user: User) -> tuple[str, ...]:
    return tuple(dict.fromkeys((user.primary_language, *user.target_languages.split())))


def _validate(new: NewAccount) -> None:
    _validate_password(new.password)
    local, _, domain = new.email.strip().rpartition("@")
    languages = (new.primary_language, *new.target_languages)
    if not (
        local
        and domain
        and len(new.email) <= 254
        and 1 <= len(new.username.strip()) <= 64
        and len(new.target_languages) <= MAX_TARGET_LANGUAGES
        and all(language in LANGUAGES for language in languages)
        and not any(unicodedata.category(character) in {"Cc", "Cs"} for character in new.username + new.email)
    ):
        raise InvalidRequest


def _validate_password(password: str) -> None:
    # Length only, no composition rules (NIST SP 800-63B). The upper bound keeps hashing time bounded.
    if not 8 <= len(password) <= 1024 or any(unicodedata.category(character) == "Cs" for character in password):
        raise InvalidRequest
