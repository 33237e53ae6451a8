"""Analytics over fifty learners' two years on MariaDB: latency of every query, and that an index serves it.

Fills a private server's database through the code of the tests, asks each question of every learner several times, and
prints median and 95th percentile in milliseconds beside the plan's key. Then it asks the same of a whole service over
HTTP, fifty learners being signed in.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import httpx2
from sqlalchemy import event, select
from sqlalchemy.orm import Session

from api.client import Client
from benchmarks.machine import describe
from models.accounts.erasure_keys import ErasureKeys
from models.accounts.lookup import LookupKey
from models.accounts.passwords import Passwords
from models.accounts.service import Accounts
from models.conversations import analytics as conversations
from models.database import Database
from models.feedback import analytics as feedback
from models.progress import streaks
from models.sessions.tables import SessionRow
from models.usage import analytics as usage
from tests.conftest import new_learner
from tests.support import mariadb
from tests.support.record import new_owner
from tests.support.service import running
from tests.support.two_years import fill

LEARNERS = 50
ROUNDS = 6
TARGET_P95_MS = 50.0
ENDPOINTS = ("streaks", "time", "topics", "feedback", "spend")
QUESTIONS: dict[str, Callable[[Session, str], object]] = {
    "streaks": streaks.history,
    "progress": streaks.progress,
    "time": lambda db, user_id: conversations.by_week(db, user_id, date.min, date.max),
    "topics": lambda db, user_id: conversations.by_topic(db, user_id, date.min, date.max),
    "feedback": lambda db, user_id: feedback.by_week(db, user_id, date.min, date.max),
    "spend": lambda db, user_id: usage.by_week(db, user_id, date.min, date.max),
}


def filled(database: Database) -> tuple[list[str], dict[str, int]]:
    """Fill the database; return the learners and the number of rows by table."""
    with tempfile.TemporaryDirectory() as folder:
        return _filled(database, ErasureKeys(Path(folder)))


def _filled(database: Database, erasure_keys: ErasureKeys) -> tuple[list[str], dict[str, int]]:
    lookup = LookupKey(bytes(range(32)))
    accounts = Accounts(Passwords(memory_kib=8, passes=1, concurrent=1), lookup, erasure_keys)
    user_ids, rows = list[str](), dict[str, int]()
    for number in range(LEARNERS):
        owner = new_owner(database, accounts, f"learner{number}")
        user_ids.append(owner.user_id)
        for table, count in fill(database, owner.user_id, owner.session_id, seed=number).items():
            rows[table] = rows.get(table, 0) + count
    with database.engine.connect() as connection:
        for table in rows:
            connection.exec_driver_sql(f"ANALYZE TABLE {table}").all()
    return user_ids, rows


def timed(database: Database, question: Callable[[Session, str], object], user_ids: list[str]) -> dict[str, float]:
    """Ask for every learner, several rounds, in a transaction each as a request does; milliseconds."""
    milliseconds = list[float]()
    for _ in range(ROUNDS):
        for user_id in user_ids:
            began = time.perf_counter()
            with database.transaction() as db:
                question(db, user_id)
            milliseconds.append((time.perf_counter() - began) * 1000)
    return _summary(milliseconds)


def _summary(milliseconds: Sequence[float]) -> dict[str, float]:
    return {
        "median_ms": round(statistics.median(milliseconds), 2),
        "p95_ms": round(statistics.quantiles(milliseconds, n=20)[-1], 2),
        "max_ms": round(max(milliseconds), 2),
    }


def plans(database: Database, question: Callable[[Session, str], object], user_id: str) -> list[str]:
    """Return, for every table that a question's statements read, its access type and key."""
    seen = list[tuple[str, Any]]()

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        seen.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.transaction() as db:
        question(db, user_id)
    event.remove(database.engine, "before_cursor_execute", note)
    found = list[str]()
    with database.engine.connect() as connection:
        for statement, parameters in seen:
            for row in connection.exec_driver_sql(f"EXPLAIN {statement}", parameters).mappings():
                if row["key"] or not str(row["table"]).startswith("<"):
                    found.append(f"{row['table']}: {row['type']} {row['key']} {row['Extra']}".strip())
    return found


def over_http(server: mariadb.Server) -> dict[str, dict[str, float]]:
    """Ask every endpoint for every learner, over HTTP; milliseconds."""
    url = server.new_database()
    with running({"MAYFLY_DATABASE_URL": url}) as service, Client(service.url) as client:
        learners = [new_learner(client) for _ in range(LEARNERS)]
        database = Database(url)
        for number, learner in enumerate(learners):
            session_id = learner.signed_in.session_id
            with database.transaction() as db:
                user_id = db.scalars(select(SessionRow.user_id).where(SessionRow.session_id == session_id)).one()
            fill(database, user_id, session_id, seed=number)
        database.dispose()
        clients = [service.client(learner.signed_in.token) for learner in learners]
        return {name: _asked(f"/v1/analytics/{name}", clients) for name in ENDPOINTS}


def _asked(path: str, clients: Sequence[httpx2.Client]) -> dict[str, float]:
    milliseconds = list[float]()
    for turn in range(ROUNDS + 1):
        for client in clients:
            began = time.perf_counter()
            assert client.post(path, json={}).is_success
            if turn:  # The first opens connections.
                milliseconds.append((time.perf_counter() - began) * 1000)
    return _summary(milliseconds)


def main() -> None:
    """Print the figures as JSON; exit 1 when a question misses the target or is served by no index."""
    with tempfile.TemporaryDirectory() as folder, mariadb.running(Path(folder)) as server:
        database = Database(server.new_database())
        database.migrate()
        user_ids, rows = filled(database)
        times = {name: timed(database, question, user_ids) for name, question in QUESTIONS.items()}
        used = {name: plans(database, question, user_ids[0]) for name, question in QUESTIONS.items()}
        database.dispose()
        http = over_http(server)
    found = {"machine": describe(), "rows": rows, "milliseconds": times, "over_http": http, "plans": used}
    print(json.dumps(found, indent=2))
    served = all(" None" not in plan for lines in used.values() for plan in lines)
    slow = any(figures["p95_ms"] > TARGET_P95_MS for figures in (*times.values(), *http.values()))
    sys.exit(not served or slow)


if __name__ == "__main__":
    main()
