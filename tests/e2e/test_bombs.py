"""Files made to explode end with a word, in time, and another learner's questions are answered all the while."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from benchmarks.documents import PROBLEMS
from tests.support import bombs
from tests.support.conformance import codes
from tests.support.jails import DOCUMENTS
from tests.support.service import MEMORY, Service

pytestmark = pytest.mark.slow

SCRIPT = DOCUMENTS / "make_hostile.py"


@pytest.fixture(scope="module")
def files() -> Iterator[list[Path]]:
    """The bombs, on the RAM disk: 137 MB that are never kept."""
    with TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield bombs.make(SCRIPT, Path(name))


@pytest.mark.timeout(900)
@pytest.mark.skipif(not SCRIPT.is_file(), reason=f"THE BOMBS' SCRIPT IS MISSING ({SCRIPT}): none is thrown")
def test_every_bomb_ends_with_a_word_while_another_learner_is_answered(service: Service, files: list[Path]) -> None:
    report = bombs.throw(service.url, files, codes(PROBLEMS))

    assert {bomb.name: bomb.complaint for bomb in report.bombs if bomb.complaint} == {}
    assert {bomb.outcome for bomb in report.bombs} - {"read"}, "none of them was refused: these were no bombs"
    assert report.unanswered == 0
    assert len(report.during) > 0
