"""How a session begins and ends, and how an account goes: deeds that span the record and the processes.

A session is written down only after its process lives and is unlocked, so that a sign-in which fails half-way leaves at
most a process without a row, which the sweep kills.
"""

import contextlib
from dataclasses import dataclass, field
from datetime import datetime

from api.dependencies import find_session, renew
from api.resources import Resources
from models.accounts.service import Unlocked
from models.documents import service as document_record
from models.errors import MayflyError, NoSuchThing, PartUnavailable, TooManySessions
from models.ids import hash_token, new_id, new_token
from models.receipts import log
from models.receipts import service as receipt_record
from models.receipts.log import Logged
from models.receipts.signing import Receipt
from models.sessions import service as session_record
from models.sessions.service import Opening
from models.vocabulary import EndReason
from sessions.purge import purge


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that has just begun; ``token`` exists nowhere else."""

    session_id: str
    token: str = field(repr=False)
    expires_at: datetime
    receipt_id: str
    start: Logged


@dataclass(frozen=True, slots=True)
class Ended:
    """A receipt, and the proof that its session's end is in the log; none for erasures and while it cannot be read.

    ``commitments`` are those of the session's documents, for as long as its account is not erased.
    """

    receipt: Receipt
    end: Logged | None = None
    commitments: tuple[bytes, ...] = ()


def sign_in(resources: Resources, email: str, password: str) -> SignedIn:
    """Check the password, start a session process, unlock it, and write the session down.

    Raises ``InvalidCredentials``, ``TooManySessions``, ``HostFull``, ``PartUnavailable``, ``RateLimited``.
    """
    account = resources.accounts.verify(resources.database, email, password)
    with resources.database.transaction() as db:
        # Only to spare a process; what decides is the count in the transaction that writes the session down.
        if session_record.count_open(db, account.user_id) >= resources.settings.sessions.per_account:
            raise TooManySessions
    session_id, token = new_id(), new_token()
    try:
        key_commitment = _start_process(resources, session_id, account)
        expires_at = renew(resources, session_id)
        receipt_id, start = _write_down(resources, _opening(resources, session_id, token, account), key_commitment)
    except BaseException:
        with contextlib.suppress(MayflyError):
            resources.host.kill(session_id)
        raise
    return SignedIn(session_id, token, expires_at, receipt_id, start)


def sign_out(resources: Resources, token: str) -> Ended:
    """Purge the session of a token and return the receipt; callers that come while it runs get the same one.

    Raises ``SessionExpired`` for a token that is already dead.
    """

    def end() -> Receipt:
        return end_session(resources, _session_to_end(resources, token), "sign_out")

    return with_proof(resources, resources.sign_outs.join(hash_token(token), end))


def _session_to_end(resources: Resources, token: str) -> str:
    """Return the session of a token. While the record does not answer, from memory: deleting does not wait for it."""
    try:
        return find_session(resources, token).session_id
    except PartUnavailable:
        known = resources.leases.session_of(hash_token(token))
        if known is None:
            raise
        return known


def end_session(resources: Resources, session_id: str, reason: EndReason) -> Receipt:
    """Purge one session, whatever state it is in, and return its one receipt."""
    receipt = purge(session_id, reason, resources.purge_parts)
    resources.metrics.purges.labels(receipt.statement.reason).inc()
    return receipt


def with_proof(resources: Resources, receipt: Receipt) -> Ended:
    """Add the proof that the log has the end of the receipt's session. A purge that is done is never called failed."""
    try:
        with resources.database.transaction() as db:
            end = log.prove(db, receipt.statement.receipt_id, "end", resources.signer.sign_checkpoint)
            return Ended(receipt, end, tuple(document_record.commitments(db, receipt.statement.session_id)))
    except (NoSuchThing, PartUnavailable):
        return Ended(receipt)


def end_for_hook(resources: Resources, session_id: str) -> Ended:
    """Purge a session for the tutor application's backend; one that has ended answers with the receipt it has.

    Raises ``NoSuchThing`` for a session nobody knows. While the record does not answer, everything is deleted all the
    same, and then ``PartUnavailable`` raised.
    """
    try:
        with resources.database.transaction() as db:
            receipt = receipt_record.of_session(db, session_id)
            known = session_record.get(db, session_id) is not None
    except PartUnavailable:
        return with_proof(resources, end_session(resources, session_id, "hook"))
    if receipt is None and not known:
        raise NoSuchThing
    return with_proof(resources, receipt or end_session(resources, session_id, "hook"))


def end_all_of_account(resources: Resources, user_id: str, reason: EndReason) -> list[Receipt]:
    """Purge every session of an account and return the receipts."""
    with resources.database.transaction() as db:
        session_ids = [info.session_id for info in session_record.unended_of_user(db, user_id)]
    return [end_session(resources, session_id, reason) for session_id in session_ids]


def recover(resources: Resources, email: str, code: str, new_password: str) -> tuple[str, list[Receipt]]:
    """Set a new password and purge the account's sessions; return the account's id and the receipts.

    Raises ``InvalidCredentials`` for an unknown address and a wrong code alike.
    """
    user_id = resources.accounts.recover(resources.database, email, code, new_password)
    return user_id, end_all_of_account(resources, user_id, "sign_out")


def _start_process(resources: Resources, session_id: str, account: Unlocked) -> bytes:
    """Fork and unlock a session process; return the commitment to its data key."""
    settings = resources.settings.sessions
    resources.host.open(session_id, idle_seconds=settings.idle_seconds, absolute_seconds=settings.absolute_seconds)
    return resources.session(session_id).unlock(account.learner_key, account.languages)


def _opening(resources: Resources, session_id: str, token: str, account: Unlocked) -> Opening:
    settings = resources.settings.sessions
    return Opening(
        session_id=session_id,
        user_id=account.user_id,
        node_id=resources.node_id,
        host_instance=resources.host.hello().instance,
        token_hash=hash_token(token),
        idle_seconds=settings.idle_seconds,
        absolute_seconds=settings.absolute_seconds,
        password_hash=account.password_hash,
        receipt_id=new_id(),
    )


def _write_down(resources: Resources, opening: Opening, key_commitment: bytes) -> tuple[str, Logged]:
    """Write a session and its start in the log, both or none; return what its receipt is called, and the proof."""
    receipt_id = opening.receipt_id or new_id()
    with resources.database.transaction() as db:
        info = session_record.open_session(db, opening, max_open=resources.settings.sessions.per_account)
        log.open_session(
            db,
            receipt_id=receipt_id,
            key_commitment=key_commitment,
            lifetime_seconds=info.absolute_seconds,
            opened_at=info.opened_at,
        )
        return receipt_id, log.prove(db, receipt_id, "start", resources.signer.sign_checkpoint)
