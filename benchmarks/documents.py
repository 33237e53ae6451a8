"""A folder of documents that others wrote, held against its manifest through the HTTP interface.

Run ``python -m benchmarks.documents FOLDER [--url …] [--bombs FOLDER]``. FOLDER has a ``MANIFEST.tsv`` (columns: file,
kind, why, page, must_contain among others). Of kind ``quality`` the text must be found on its page by asking for it;
a file of kind ``hostile`` must end within its limits, readable or refused with a documented code. A text counts as
found when one quotation holds it, or several that follow on one another; the second kind is counted apart. Without
``--url`` a service is started; only then the jailer's log tells CPU time and memory.

With ``--bombs`` (a folder of files, or FOLDER's own ``make_hostile.py`` when it is ``make``), these are uploaded
after it, two at a time, while another learner asks. Exits with 1 when anything is not as it must be.
"""

import argparse
import itertools
import sys
import tempfile
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path

from api.client import Client
from models.errors import EmptyDocument
from tests.conftest import new_learner
from tests.support import bombs
from tests.support.conformance import Expectation, Inspector, JailLog, Result, codes, expectations
from tests.support.service import MEMORY, Service, running

PROBLEMS = Path(__file__).parents[1] / "docs" / "problems.md"
DEFAULT = Path("../shared/documents")
LANGUAGES = ("fr", "zh", "ja")
_MIB = 1024 * 1024
_LATENCY_GOAL = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help=f"by default {DEFAULT}, if it is there")
    parser.add_argument("--url", help="a service that runs already")
    parser.add_argument("--languages", default=",".join(LANGUAGES), help="what the learner learns (ISO 639-1)")
    parser.add_argument("--bombs", help="a folder of bombs, or 'make'")
    arguments = parser.parse_args()
    folder = arguments.folder or DEFAULT
    if not (folder / "MANIFEST.tsv").is_file():
        print(f"there is no MANIFEST.tsv in {folder}: nothing is tried", file=sys.stderr)
        sys.exit(2 if arguments.folder else 0)
    with service_at(arguments.url) as (url, service):
        languages = tuple(arguments.languages.split(","))
        results = inspect(url, service, expectations(folder), languages=languages)
        print("\n".join(table(results)))
        wrong = [result for result in results if result.complaint]
        print("\n".join(f"WRONG {each.expectation.file}: {each.complaint}" for each in wrong) or "all as they must be")
        empty = [each.expectation.file for each in results if each.outcome == EmptyDocument.slug]
        print(f"without a word, and none is named for them: {', '.join(empty) or 'none'}")
        is_right = not wrong
        if arguments.bombs:
            is_right &= blow_up(url, folder, arguments.bombs)
    sys.exit(0 if is_right else 1)


@contextmanager
def service_at(url: str | None) -> Generator[tuple[str, Service | None]]:
    """Yield the service at the URL, or one of our own and its log."""
    if url:
        yield url, None
    else:
        with running() as service:
            yield service.url, service


def inspect(
    url: str, service: Service | None, files: Sequence[Expectation], *, languages: tuple[str, ...] = LANGUAGES
) -> list[Result]:
    """Hold every file against its manifest, one after the other, and return what became of each."""
    results = list[Result]()
    with Client(url) as client, new_learner(client, languages=languages) as learner:
        inspector = Inspector(learner, codes(PROBLEMS), JailLog(service))
        for number, file in enumerate(files, start=1):
            result = inspector.inspect(file)
            results.append(result)
            print(
                f"[{number}/{len(files)}] {file.file}: {result.outcome} {result.seconds:.1f} s {result.complaint}",
                file=sys.stderr,
                flush=True,
            )
    return results


def table(results: Sequence[Result]) -> list[str]:
    """Return the lines of a table with one row a type."""
    head = "| Type | Files | As they must be | Text found | in several quotations | Refused | CPU s | Peak MiB |"
    by_type = sorted(results, key=lambda result: (result.expectation.kind, result.expectation.type))
    groups = itertools.groupby(by_type, key=lambda result: result.expectation.type)
    return [head, "|---|---|---|---|---|---|---|---|", *(_row(kind, list(group)) for kind, group in groups)]


def _row(kind: str, results: list[Result]) -> str:
    asked = [result for result in results if result.found is not None]
    found = [result for result in asked if result.found]
    cells = (
        kind,
        len(results),
        sum(not result.complaint for result in results),
        f"{len(found)} of {len(asked)}" if asked else "-",
        sum(not result.in_one_passage for result in found),
        sum(result.outcome != "ready" for result in results),
        _total(result.cpu_seconds for result in results),
        _highest(result.peak_bytes for result in results),
    )
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _total(values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{sum(known):.1f}" if known else "-"


def _highest(values: Iterable[int | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{max(known) / _MIB:.0f}" if known else "-"


def blow_up(url: str, folder: Path, source: str) -> bool:
    """Upload the bombs while somebody asks, print what became of both, and say whether all is as it must be."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as name:
        files = (
            bombs.make(folder / "make_hostile.py", Path(name)) if source == "make" else sorted(Path(source).iterdir())
        )
        report = bombs.throw(url, files, codes(PROBLEMS))
    print(
        "\n".join(f"bomb {each.name}: {each.outcome} in {each.seconds:.1f} s {each.complaint}" for each in report.bombs)
    )
    before, during = bombs.p95(report.before), bombs.p95(report.during)
    print(
        f"questions of another learner: {len(report.before)} before, p95 {before * 1000:.0f} ms; {len(report.during)} "
        f"during, p95 {during * 1000:.0f} ms; ratio {during / before:.2f} (goal {_LATENCY_GOAL}); "
        f"{report.unanswered} unanswered"
    )
    return not report.unanswered and not any(bomb.complaint for bomb in report.bombs)


if __name__ == "__main__":
    main()
