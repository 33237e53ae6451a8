"""Backing the record up and restoring it: files, the key, and receipts for the sessions a restore ends."""

import os
from pathlib import Path

from sqlalchemy.orm import Session

from models import backup, keyfile
from models.accounts import service as account_record
from models.accounts.erasure_keys import ErasureKeys
from models.conversations import service as conversation_record
from models.database import Database, now
from models.documents import service as document_record
from models.ids import new_id
from models.receipts import entries, log
from models.receipts import service as receipt_record
from models.receipts.signing import Signer
from models.receipts.statement import Statement
from models.sealing import KEY_BYTES, new_key
from models.sessions import service as session_record
from sessions.purge import minute, software


def load_key(path: Path, *, make: bool) -> bytes:
    """Read a backup key (32 bytes, mode 0600); ``make`` one where there is none.

    Raises ``KeyFileRefused`` for a file that others may read, that has another size, or that is not there.
    """
    if not make and not path.exists():
        raise keyfile.KeyFileRefused(f"{path.name} is not there")
    key = keyfile.load_or_create(path, new_key)
    if len(key) != KEY_BYTES:
        raise keyfile.KeyFileRefused(f"{path.name} must be {KEY_BYTES} bytes")
    return key


def save(database: Database, key: bytes, target: Path) -> dict[str, int]:
    """Write a backup file (mode 0600) that is whole or not there; return the number of rows by table.

    Raises ``FileExistsError`` rather than replace a file.
    """
    if target.exists():
        raise FileExistsError(target)
    partial = target.with_name(target.name + ".partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            counts = backup.write(database, key, file)
            file.flush()
            os.fsync(file.fileno())
        target.hardlink_to(partial)
    finally:
        partial.unlink(missing_ok=True)
    return counts


def bring_back(database: Database, key: bytes, source: Path, signer: Signer) -> dict[str, int]:
    """Fill an empty, migrated database from a backup, all or nothing; return the number of rows by table.

    Sessions that were open then are ended and have a receipt. Raises ``models.backup.BackupRefused``.
    """
    with source.open("rb") as file:
        counts = backup.check(key, file)
        file.seek(0)
        with database.transaction() as db:
            closed = backup.restore(db, key, file)
            log.become_another(db)
            for session_id in closed:
                _close(db, session_id, signer)
    return counts


def without_erasure_key(database: Database, keys: ErasureKeys) -> int:
    """Return how many accounts nobody can sign in to, because their erasure keys are not there."""
    with database.transaction() as db:
        return len(keys.missing(account_record.ids(db)))


def _close(db: Session, session_id: str, signer: Signer) -> None:
    totals = document_record.close(db, session_id)
    conversation_record.close(db, session_id)
    info = session_record.get(db, session_id)
    if info is None or receipt_record.of_session(db, session_id) is not None:
        return
    statement = Statement(
        receipt_id=info.receipt_id or new_id(),
        kind="purge",
        session_id=session_id,
        reason=info.end_reason or "crash",
        documents_purged=totals.documents,
        pages_purged=totals.pages,
        chunks_purged=totals.chunks,
        bytes_purged=totals.bytes,
        rows_erased=0,
        commitments=entries.root_of(document_record.commitments(db, session_id)),
        verified=("restored_without_content",),
        steps=(),
        opened_at=minute(info.opened_at),
        ended_at=minute(now()),
        software=software(),
    )
    receipt_record.add(db, signer.sign_or_queue(statement))
    log.append(db, entries.end(statement))
