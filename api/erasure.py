"""Erasing an account: its sessions are purged, its rows deleted, and a receipt says so without saying whose."""

import time
from datetime import timedelta

from api import lifecycle
from api.resources import Resources
from models import holdings
from models.accounts import service as account_record
from models.database import now
from models.errors import NoSuchThing, PartUnavailable
from models.ids import new_id
from models.receipts import service as receipt_record
from models.receipts.signing import Receipt
from models.receipts.statement import Statement, Step
from models.sessions import service as session_record
from models.usage import service as usage_record
from sessions.purge import minute, software

_ATTEMPTS = 10
# An erasure takes seconds; one that was asked for so long ago was interrupted.
_INTERRUPTED_SECONDS = 60


def erase_account(resources: Resources, user_id: str) -> Receipt:
    """Purge every session of the account, delete all that is durable of it, and return the receipt of the erasure.

    The wish is noted first: the sweeper finishes an erasure that is interrupted. Sessions that open meanwhile are
    purged as well. Nothing in the receipt leads back to the account; the receipts of
    its sessions stay. Raises ``NoSuchThing`` when it is gone already, ``PartUnavailable`` when a purge could not
    finish.
    """
    with resources.database.transaction() as db:
        account_record.ask_erasure(db, user_id)
    steps: list[Step] = []
    for _ in range(_ATTEMPTS):
        started = time.monotonic()
        purged = lifecycle.end_all_of_account(resources, user_id, "erasure")
        steps.append(_step("purge_sessions", started, done=bool(purged)))
        receipt = _erase_rows(resources, user_id, steps)
        if receipt is not None:
            return receipt
    raise PartUnavailable(retry_after_seconds=1)


def finish_interrupted(resources: Resources) -> list[Receipt]:
    """Erase the accounts whose erasure began and did not end: its front died, or a part was down."""
    with resources.database.transaction() as db:
        left = account_record.erasures_asked_before(db, now() - timedelta(seconds=_INTERRUPTED_SECONDS))
    return [erase_account(resources, user_id) for user_id in left]


def _erase_rows(resources: Resources, user_id: str, steps: list[Step]) -> Receipt | None:
    """Destroy the account's erasure key, delete its rows and sign; ``None`` when a session was opened meanwhile."""
    started = time.monotonic()
    with resources.database.transaction() as db:
        if not account_record.hold(db, user_id):
            raise NoSuchThing
        if session_record.unended_of_user(db, user_id):
            return None
        forgotten = _step("destroy_erasure_key", started, done=resources.accounts.forget(user_id))
        started = time.monotonic()
        rows = holdings.count(db, user_id)
        usage_record.keep_spent(db, user_id)
        account_record.erase(db, user_id)
        done = (*steps, forgotten, _step("erase_rows", started, done=True))
        receipt = resources.signer.sign_or_queue(_statement(done, rows))
        receipt_record.add(db, receipt)
        return receipt


def _step(name: str, started: float, *, done: bool) -> Step:
    return Step(name, "done" if done else "nothing_to_do", round((time.monotonic() - started) * 1000))


def _statement(steps: tuple[Step, ...], rows: dict[str, int]) -> Statement:
    moment = minute(now())
    return Statement(
        receipt_id=new_id(),
        kind="erasure",
        session_id="",
        reason="erasure",
        documents_purged=0,
        pages_purged=0,
        chunks_purged=0,
        bytes_purged=0,
        rows_erased=sum(rows.values()),
        rows_by_table=rows,
        verified=("no_session_open", "erasure_key_gone", "account_row_gone"),
        steps=steps,
        opened_at=moment,
        ended_at=moment,
        software=software(),
    )
