"""What an operator prints when somebody asks what Mayfly knows of a learner: all of it, and where else to look.

Reads the record alone, so it works while the service runs and while it does not.
"""

from collections.abc import Iterator
from typing import Any

from api.settings import Settings
from models import disclosure
from models.accounts.lookup import LookupKey
from models.database import Database
from models.disclosure import Disclosure

VERSION = 1
NOTHING = "The record holds nothing that leads back to this learner."
ELSEWHERE = {
    "memory": "While a session of his is open, its process holds his documents and questions. It ends with it; "
    "only who is root on this machine could read it before.",
    "quarantine": "Uploads that wait to be read lie on the RAM disk, sealed. Their keys are in that process only.",
    "log": "Event names, routes, statuses, durations, ids of sessions and receipts. No account, no name, no address.",
    "backups": "The columns above as they were then, without tokens. What is sealed opens with an erasure key only, "
    "and that was destroyed if the account was erased.",
    "erasure key": "One file of 32 random bytes while the account exists. Alone it opens nothing.",
}


class NoRecordKey(RuntimeError):
    """The key under which addresses are looked up is not there."""


def disclose(settings: Settings, database: Database, who: str) -> dict[str, Any]:
    """Return all that can be told of a learner, by his account's id or his e-mail address.

    ``user_id`` is ``None`` when there is no such account. Raises ``NoRecordKey`` for an address that cannot be looked
    up, ``models.database.DatabaseRefused`` for a record that is not fit.
    """
    database.check()
    named = {"email_hash": _email_hash(settings, who)} if "@" in who else {"user_id": who}
    with database.snapshot() as db:
        user_id = disclosure.account_of(db, **named)
        held = disclosure.disclose(db, user_id) if user_id else []
    return {
        "version": VERSION,
        "user_id": user_id,
        "record": {part.table: _rows(part) for part in held},
        "elsewhere": ELSEWHERE,
    }


def as_text(told: dict[str, Any]) -> str:
    """Return what ``disclose`` told as lines for a reader."""
    if told["user_id"] is None:
        return NOTHING
    return "\n".join(_lines(told))


def _lines(told: dict[str, Any]) -> Iterator[str]:
    yield f"What the record holds of account {told['user_id']}"
    for table, rows in told["record"].items():
        yield f"\n{table}: {len(rows)} {'row' if len(rows) == 1 else 'rows'}"
        for number, row in enumerate(rows):
            if number:
                yield ""
            width = max(map(len, row))
            yield from (f"  {name:{width}}  {'-' if value is None else value}" for name, value in row.items())
    yield "\nWhat is not in the record"
    for place, what in told["elsewhere"].items():
        yield f"  {place}: {what}"


def _rows(part: Disclosure) -> list[dict[str, str | int | None]]:
    return [dict(zip(part.columns, row, strict=True)) for row in part.rows]


def _email_hash(settings: Settings, email: str) -> str:
    path = settings.key_file("record-key")
    if not path.exists():
        raise NoRecordKey
    return LookupKey.load(path).email(email)
