"""How well documents are read, and at what cost, beside other readers on the same files.

Run ``benchmarks/peers/make-venv`` once, then ``python -m benchmarks.extraction [--documents FOLDER]``; it prints the
table of ``extraction.md``. Ours is a real jail, with walls, cutting into chunks and language; its CPU time and memory
are what the jailer's log says. The others have one process a file; their imports are not counted. *Of it
reading* is our readers' part alone, without walls, chunks and language: what the others do.

Words are what lies between white space and punctuation after NFKC and case folding; each CJK character is one. *Found*
is the share of the reference's words, each as often as it stands there. The reference is the authors' own text where
that is known. Elsewhere it is what at least two of the readers say, which favours those that are alike and says
nothing where only two read the type. *Order* takes the words that stand once in both texts: the most of them that are
in the same order, as a share of all of them.
"""

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from ingestion.extract.reading import Work
from ingestion.extract.registry import EXTRACTORS
from ingestion.identify import identify
from ingestion.limits import JailLimits
from models.errors import MayflyError
from tests.support import library, office
from tests.support.jails import Jailer, running_jailer

OURS = "ours"
PEERS = {
    "docx": ("markitdown", "python-docx"),
    "pptx": ("markitdown", "python-pptx"),
    "xlsx": ("markitdown", "openpyxl"),
    "pdf": ("markitdown", "pypdf"),
    "html": ("markitdown",),
    "epub": ("markitdown",),
    "csv": ("markitdown",),
    "rtf": ("striprtf",),
}
TRUTHS = {
    "docx/OWASP_Application_Security_Verification_Standard_4.0.3-ru.docx": "asvs-ru",
    "docx/OWASP_Application_Security_Verification_Standard_4.0.3-zh-cn.docx": "asvs-zh-cn",
    "pdf/OWASP_Application_Security_Verification_Standard_4.0.3-ru.pdf": "asvs-ru",
}
_READ = Path(__file__).parent / "peers" / "read.py"
_PYTHON = Path("build/peers/bin/python")
_MIB = 1024 * 1024
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_]+")
# A word divided at a line's end is one word, whoever reads it.
_HYPHENATED = re.compile("(?<=[^\\W\\d_])[-\xad\u2010]\n(?=[^\\W\\d_])|\xad")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|<[^>]+>|\[\^?\w+\]:?")


@dataclass(frozen=True, slots=True)
class Case:
    """A file, its type, and the authors' own text of it or of a part of it, if known."""

    name: str
    type: str
    path: Path
    truth: str | None


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader made of a file."""

    words: tuple[str, ...]
    failure: str
    cpu_seconds: float
    reading_seconds: float
    peak_bytes: int
    pages: int = 1


@dataclass(frozen=True, slots=True)
class Score:
    """A reader's marks for one file."""

    found: float
    order: float
    cpu_seconds_a_page: float
    reading_seconds_a_page: float
    peak_bytes: int
    has_failed: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=Path, default=Path("../shared/documents"))
    arguments = parser.parse_args()
    if not _PYTHON.exists():
        print("nothing is compared: run benchmarks/peers/make-venv first", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as name, running_jailer() as jailer:
        cases = [*made(Path(name)), *collected(arguments.documents)]
        reads = {case: {OURS: ours(jailer, case)} | peers(case) for case in cases}
        # Of a file without a word nothing can be found.
        marks = {
            case: scores(case, of_case) for case, of_case in reads.items() if any(r.words for r in of_case.values())
        }
    print("\n".join(table(marks)))


def made(folder: Path) -> Iterator[Case]:
    """Yield documents of our own whose text is known, for the types of which nobody's lie beside the checkout."""
    paragraphs = (*library.ENGLISH, *library.FRENCH, *library.JAPANESE)
    web = library.html(library.FRENCH, title="Le village").data
    table_texts = tuple(text for row in _rows() for text in row)
    files = {
        "slides.pptx": (_slides(paragraphs), paragraphs),
        "numbers.xlsx": (_sheet(), table_texts),
        "page.html": (web, library.FRENCH),
        "numbers.csv": ("\n".join(",".join(row) for row in _rows()).encode(), table_texts),
    }
    for name, (data, truth) in files.items():
        path = folder / name
        path.write_bytes(data)
        yield Case(f"made: {name}", path.suffix[1:], path, "\n".join(truth))


def collected(documents: Path) -> Iterator[Case]:
    """Yield the files beside the checkout of the types that others read as well."""
    for kind in PEERS:
        for path in sorted((documents / kind).glob("*")):
            name = f"{kind}/{path.name}"
            folder = TRUTHS.get(name)
            sources = sorted((documents / "truth" / folder).glob("*.md")) if folder else []
            truth = "\n".join(_LINK.sub(r" \1 ", source.read_text(encoding="utf-8")) for source in sources)
            if not any(word in path.name for word in ("password", "protected")):
                yield Case(name, kind, path, truth or None)


def ours(jailer: Jailer, case: Case) -> Read:
    """Read a file in a jail."""
    pages = list[str]()
    failure = ""
    try:
        pages = [page.text for page in jailer.extract(case.path.read_bytes(), case.path.name).pages]
    except MayflyError as error:
        failure = error.slug
    told = jailer.told()
    while told["event"] != "jail_ended":
        told = jailer.told()
    text = "\n".join(pages)
    return Read(
        words(text), failure, told["cpu_seconds"], _reading_seconds(case), told["peak_bytes"], max(1, len(pages))
    )


def _reading_seconds(case: Case) -> float:
    """Return the CPU time of telling what a file is and reading it: what the others do, and nothing more."""
    untrusted = case.path.read_bytes()
    started = 0.0
    for _ in range(2):  # The second one counts: a jail finds everything loaded.
        started = time.process_time()
        with contextlib.suppress(MayflyError):
            EXTRACTORS[identify(untrusted, case.path.name, None).family](untrusted, Work(JailLimits()))
    return time.process_time() - started


def peers(case: Case) -> dict[str, Read]:
    """Read a file with each of the others that read its type."""
    return {name: peer(name, case) for name in PEERS[case.type]}


def peer(name: str, case: Case) -> Read:
    """Read a file with one other reader in a process of its own."""
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    command = [str(_PYTHON), "-W", "ignore", str(_READ), name, str(case.path)]
    ended = subprocess.run(command, capture_output=True, check=True, env=environment)
    said = json.loads(ended.stdout.splitlines()[-1])
    seconds = said["cpu_seconds"]
    return Read(words(said["text"]), said["failure"], seconds, seconds, said["peak_bytes"])


def words(text: str) -> tuple[str, ...]:
    """Return the words of a text as they are compared."""
    return tuple(_WORD.findall(_HYPHENATED.sub("", unicodedata.normalize("NFKC", text)).casefold()))


def scores(case: Case, reads: dict[str, Read]) -> dict[str, Score]:
    """Hold every reader against the authors' text, or against what two of them say."""
    truth = words(case.truth) if case.truth is not None else None
    counts = {name: Counter(read.words) for name, read in reads.items()}
    reference = Counter(truth) if truth is not None else agreed(list(counts.values()))
    pages = reads[OURS].pages
    found = dict[str, Score]()
    for name, read in reads.items():
        others = [truth] if truth is not None else [each.words for other, each in reads.items() if other != name]
        share = (counts[name] & reference).total() / max(1, reference.total())
        order = fmean(agreement(other, read.words) for other in others) if others else 1.0
        found[name] = Score(
            share, order, read.cpu_seconds / pages, read.reading_seconds / pages, read.peak_bytes, bool(read.failure)
        )
    return found


def agreed(counts: Sequence[Counter[str]]) -> Counter[str]:
    """Return each word as often as at least two texts have it."""
    every = {word for count in counts for word in count}
    return Counter({word: sorted((count[word] for count in counts), reverse=True)[1] for word in every})


def agreement(one: Sequence[str], other: Sequence[str]) -> float:
    """Return the share of the words standing once in both that are in the same order in both."""
    once = {word for word, count in Counter(one).items() if count == 1}
    places = {word: at for at, word in enumerate(other)}
    single = {word for word, count in Counter(other).items() if count == 1}
    order = [places[word] for word in one if word in once and word in single]
    tails = list[int]()
    for place in order:
        at = bisect_left(tails, place)
        tails[at : at + 1] = [place]
    return len(tails) / len(order) if order else 1.0


def table(marks: dict[Case, dict[str, Score]]) -> Iterator[str]:
    """Yield the lines of one table a type's files, then of the means."""
    yield "| File | Reference | Reader | Found | Order | CPU ms a page | of it reading | Peak MiB |"
    yield "|---|---|---|---|---|---|---|---|"
    for case, by_reader in marks.items():
        reference = "authors" if case.truth is not None else f"two of {len(by_reader)}"
        for name, score in by_reader.items():
            yield _line(case.name, reference, name, [score])
    yield ""
    yield "| Type | Files | Reader | Found | Order | CPU ms a page | of it reading | Peak MiB |"
    yield "|---|---|---|---|---|---|---|---|"
    for kind, others in PEERS.items():
        of_kind = [by_reader for case, by_reader in marks.items() if case.type == kind]
        for name in (OURS, *others) if of_kind else ():
            yield _line(kind, str(len(of_kind)), name, [by_reader[name] for by_reader in of_kind])


def _line(first: str, second: str, reader: str, marks: Sequence[Score]) -> str:
    failed = sum(mark.has_failed for mark in marks)
    found = f"{fmean(mark.found for mark in marks):.3f}" + (f" ({failed} failed)" if failed else "")
    cells = (
        first,
        second,
        reader,
        found,
        f"{fmean(mark.order for mark in marks):.3f}",
        f"{fmean(mark.cpu_seconds_a_page for mark in marks) * 1000:.0f}",
        f"{fmean(mark.reading_seconds_a_page for mark in marks) * 1000:.0f}",
        f"{max(mark.peak_bytes for mark in marks) / _MIB:.0f}",
    )
    return "| " + " | ".join(cells) + " |"


def _rows() -> list[list[str]]:
    birds = ([f"bird{number}", str(number * 3), f"place{number % 7}"] for number in range(300))
    return [["bird", "grams", "seen"], *birds]


def _sheet() -> bytes:
    def fill(book: office.Any) -> None:
        for row in _rows():
            book.active.append([int(text) if text.isdigit() else text for text in row])

    return office.workbook(fill)


def _slides(paragraphs: Sequence[str]) -> bytes:
    def fill(show: office.Any) -> None:
        for paragraph in paragraphs:
            slide = show.slides.add_slide(show.slide_layouts[1])
            slide.placeholders[1].text = paragraph

    return office.presentation(fill)


if __name__ == "__main__":
    main()
