"""What the public log says of a session: that it started, and that it ended, how, with what result.

Owns what is left out. The log is read by anyone, so an entry carries no id that anything can be asked with, no exact
count or size (a file can be told by its bytes), and times to five minutes. Who holds the receipt can show that an entry
is its: the entry has the hashes of the receipt's id and of its whole statement.
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

import msgspec

from models.receipts import merkle
from models.receipts.statement import Statement, StepResult, canonical
from models.vocabulary import EndReason

BUCKET_MINUTES = 5
GRACE_MINUTES = 5
_MINUTE_FORM = "%Y-%m-%dT%H:%MZ"

Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
Moment = Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d[05]Z$")]
# How many binary digits a number has: 0 for none, 1 for one, 2 for two and three, 3 for four to seven …
Magnitude = Annotated[int, msgspec.Meta(ge=0, le=64)]


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="entry", tag="start"):
    """A session began and may last ``lifetime_seconds``.

    ``key_commitment`` is the SHA-256 of ``kc`` and the session's data key: who ever finds a copy of that key after the
    end can show that the end was not what its entry says.
    """

    version: Literal[1] = 1
    receipt: Sha256
    key_commitment: Sha256
    lifetime_seconds: int
    opened_at: Moment


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="entry", tag="end"):
    """A session was purged. Steps are named with their results; numbers are magnitudes.

    ``residue`` is of what the purge found of its session's tracer, where it looked for one.
    """

    version: Literal[1] = 1
    receipt: Sha256
    statement: Sha256
    commitments: Sha256 | msgspec.UnsetType = msgspec.UNSET
    reason: EndReason
    documents: Magnitude
    pages: Magnitude
    chunks: Magnitude
    bytes: Magnitude
    residue: Magnitude | msgspec.UnsetType = msgspec.UNSET
    verified: tuple[str, ...]
    steps: dict[str, StepResult]
    ended_at: Moment
    software: str


Entry = Start | End


class EntryInvalid(ValueError):
    """The text is no entry of this log."""


def written(entry: Entry) -> bytes:
    """Return the one form of an entry: JSON with sorted keys and no blanks. The log hashes exactly these bytes."""
    return msgspec.json.encode(entry, order="sorted")


def read(data: bytes) -> Entry:
    """Read an entry. Raises ``EntryInvalid`` for anything but the one form of one."""
    try:
        entry: Entry = msgspec.json.decode(data, type=Entry)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise EntryInvalid("this is no entry") from None
    if written(entry) != data:
        raise EntryInvalid("an entry has one form, and this is another")
    return entry


def start(*, receipt_id: str, key_commitment: bytes, lifetime_seconds: int, opened_at: datetime) -> Start:
    """Return the entry of a session that opens; its receipt will have ``receipt_id``."""
    return Start(
        receipt=name_of(receipt_id),
        key_commitment=key_commitment.hex(),
        lifetime_seconds=lifetime_seconds,
        opened_at=_bucket(opened_at),
    )


def end(statement: Statement) -> End:
    """Return the entry of a purge: all of it follows from the receipt's statement, so who has that can check it.

    Raises ``ValueError`` for a statement whose end is no minute.
    """
    return End(
        receipt=name_of(statement.receipt_id),
        statement=hashlib.sha256(canonical(statement)).hexdigest(),
        commitments=statement.commitments,
        reason=statement.reason,
        documents=statement.documents_purged.bit_length(),
        pages=statement.pages_purged.bit_length(),
        chunks=statement.chunks_purged.bit_length(),
        bytes=statement.bytes_purged.bit_length(),
        residue=_magnitude(statement.residue_found),
        verified=statement.verified,
        steps={step.name: step.result for step in statement.steps},
        ended_at=_bucket(moment_of(statement.ended_at)),
        software=statement.software,
    )


def root_of(commitments: Sequence[bytes]) -> str:
    """Return the one hash, in hex, that stands for the commitments of all documents of a session."""
    leaves = sorted(commitments)
    return merkle.root(len(leaves), merkle.nodes_of(leaves)).hex()


def name_of(receipt_id: str) -> str:
    """Return what the log calls a receipt: a hash of its random id, so that the log hands out no receipt."""
    return hashlib.sha256(b"mayfly receipt id\n" + receipt_id.encode()).hexdigest()


def commitment_of(key: bytes) -> bytes:
    """Return what may be published of a session's data key (32 random bytes)."""
    return hashlib.sha256(b"kc" + key).digest()


def due_at(start: Start) -> datetime:
    """Return when the end of a session must have been written: its life, the bucket its start fell in, and a grace."""
    return moment_of(start.opened_at) + timedelta(
        seconds=start.lifetime_seconds, minutes=BUCKET_MINUTES + GRACE_MINUTES
    )


def is_overdue(start: Start, moment: datetime) -> bool:
    """Say whether the end of a session is missing at a moment (UTC)."""
    return moment > due_at(start)


def moment_of(written_down: str) -> datetime:
    """Return a time of an entry or a statement. Raises ``ValueError``."""
    return datetime.strptime(written_down, _MINUTE_FORM).replace(tzinfo=UTC)


def _magnitude(count: int | msgspec.UnsetType) -> int | msgspec.UnsetType:
    return msgspec.UNSET if isinstance(count, msgspec.UnsetType) else count.bit_length()


def _bucket(moment: datetime) -> str:
    return (moment - timedelta(minutes=moment.minute % BUCKET_MINUTES)).strftime(_MINUTE_FORM)
