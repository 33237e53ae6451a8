"""A database's own error repeats values that were bound to a statement; nothing of it gets into a log (O04)."""

import io
import json
import logging as standard_logging
from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api import logging
from api.settings import LogSettings
from models.database import Database
from tests.support.residue import in_bytes, new_marker


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    root = standard_logging.getLogger()
    handlers, level, stream = root.handlers[:], root.level, io.StringIO()
    logging.configure(LogSettings(level="debug"), stream=stream)
    yield stream
    standard_logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level


def test_a_duplicate_value_is_in_no_log_though_the_server_quotes_it(database: Database, lines: io.StringIO) -> None:
    marker = new_marker()
    statement = text("INSERT INTO usage_months (user_id, month, requests, tokens, cost) VALUES (:word, 1, 1, 1, 1)")

    with pytest.raises(IntegrityError) as failure, database.transaction() as db:
        db.execute(statement, {"word": marker})

    for name in ("sqlalchemy.engine", "uvicorn.error", "mayfly"):
        standard_logging.getLogger(name).error("failed: %s", failure.value, exc_info=failure.value)
    told = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [line["error"] for line in told] == ["IntegrityError"] * 3
    assert in_bytes(lines.getvalue().encode(), marker) == 0
    parameters = "SQL parameters hidden" in str(failure.value)
    assert parameters, "the values that were bound are not in the error either"
