"""The log of receipts: what an append and a proof cost, by length of the log and number of writers.

A log of the given length is filled first. Then writers append, each in a transaction of its own as
a front does, and proofs are asked for in the whole log. Prints median and 95th percentile in milliseconds.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.machine import describe
from models.database import Database, now
from models.ids import new_id
from models.receipts import log
from models.receipts.signing import Signer
from tests.support import mariadb

LENGTHS = (0, 1_000, 10_000)
WRITERS = (1, 4, 16)
APPENDS = 160
PROOFS = 60
SIGNER = Signer(Ed25519PrivateKey.generate())


def append(database: Database, receipt_id: str) -> float:
    """Write a start in a transaction of its own; return the milliseconds it took."""
    began = time.perf_counter()
    with database.transaction() as db:
        log.open_session(db, receipt_id=receipt_id, key_commitment=bytes(32), lifetime_seconds=3600, opened_at=now())
    return 1000 * (time.perf_counter() - began)


def prove(database: Database, receipt_id: str) -> float:
    """Prove an entry in the whole log; return the milliseconds it took."""
    began = time.perf_counter()
    with database.transaction() as db:
        log.prove(db, receipt_id, "start", SIGNER.sign_checkpoint, newest=True)
    return 1000 * (time.perf_counter() - began)


def fill(database: Database, length: int) -> None:
    """Bring the log to a length, many entries a transaction."""
    with database.transaction() as db:
        missing = length - log.head(db).size
    for _ in range(0, missing, 500):
        with database.transaction() as db:
            for _ in range(500):
                log.open_session(
                    db, receipt_id=new_id(), key_commitment=bytes(32), lifetime_seconds=3600, opened_at=now()
                )


def figures(milliseconds: list[float], seconds: float) -> dict[str, float]:
    """Median, 95th percentile and rate."""
    return {
        "median_ms": round(statistics.median(milliseconds), 2),
        "p95_ms": round(statistics.quantiles(milliseconds, n=20)[-1], 2),
        "per_second": round(len(milliseconds) / seconds, 1),
    }


def timed(work: Callable[[str], float], ids: list[str], writers: int) -> dict[str, float]:
    """Do the work for every id, with this many at once."""
    began = time.perf_counter()
    with ThreadPoolExecutor(writers) as pool:
        taken = list(pool.map(work, ids))
    return figures(taken, time.perf_counter() - began)


def measure(database: Database) -> dict[str, Any]:
    """Measure one database, the log growing from one length to the next."""
    database.migrate()
    found = dict[str, Any]()
    for length in LENGTHS:
        fill(database, length)
        ids = list[str]()
        for writers in WRITERS:
            ids = [new_id() for _ in range(APPENDS)]
            found[f"{length} entries, {writers} writers"] = timed(lambda one: append(database, one), ids, writers)
        found[f"{length} entries, proofs"] = timed(lambda one: prove(database, one), ids[:PROOFS], 1)
    return found


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder, mariadb.running(Path(folder)) as server:
        results = {"machine": describe(), "sqlite": measure(Database(f"sqlite:///{folder}/record.sqlite"))}
        results["mariadb"] = measure(Database(server.new_database()))
    json.dump(results, sys.stdout, indent=1)


if __name__ == "__main__":
    main()
