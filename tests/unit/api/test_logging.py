import io
import json
import logging as standard_logging
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from api import logging
from api.settings import LogSettings

CANARY = "zzCANARYzz"


@pytest.fixture
def lines() -> Iterator[Any]:
    root, handlers, level = standard_logging.getLogger(), standard_logging.getLogger().handlers[:], 0
    level = root.level
    stream = io.StringIO()
    logging.configure(LogSettings(level="debug"), stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    standard_logging.captureWarnings(capture=False)
    root.handlers, root.level = handlers, level


def test_an_event_is_one_line_with_its_allowed_fields(lines: Any) -> None:
    logging.get().info("request", route="/v1/receipts/{receipt_id}", status=200, duration_ms=1.5)

    (line,) = lines()
    assert (line["event"], line["route"], line["status"]) == ("request", "/v1/receipts/{receipt_id}", 200)
    assert "dropped_fields" not in line


def test_a_field_that_is_not_allowed_is_dropped_and_counted(lines: Any) -> None:
    logging.get().info("request", filename=CANARY, query=CANARY, status=200)

    (line,) = lines()
    assert (line["status"], line["dropped_fields"]) == (200, 2)
    assert CANARY not in str(line)


@pytest.mark.parametrize("value", ["two words", "a\nb", "\x1b[31m", '"}', "日本", "x" * 121, ["a"], {"a": 1}, b"a"])
def test_a_value_that_could_be_content_is_dropped(lines: Any, value: Any) -> None:
    logging.get().info("request", route=value)

    (line,) = lines()
    assert "route" not in line


def test_a_library_is_heard_without_its_words(lines: Any) -> None:
    try:
        int(CANARY)
    except ValueError:
        standard_logging.getLogger("some.library").exception("about %s", CANARY)

    (line,) = lines()
    assert (line["event"], line["logger"], line["error"]) == ("library_log", "some.library", "ValueError")
    assert line["where"].startswith("api/test_logging.py:")
    assert CANARY not in str(line)


def test_a_warning_is_heard_without_its_words(lines: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        standard_logging.captureWarnings(capture=True)
        warnings.warn(CANARY, UserWarning, stacklevel=1)

    assert [line["logger"] for line in lines()] == ["py.warnings"]
    assert CANARY not in str(lines())
