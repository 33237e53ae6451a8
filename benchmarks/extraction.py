"""How well documents are read, and at what cost, beside other readers on the same files.

Run ``benchmarks/peers/make-venv`` once, then ``python -m benchmarks.extraction [--documents FOLDER] [--only TYPE …]``;
it prints the tables of ``extraction.md``, ``--write`` puts them there. Every reader, ours too, has a process of its own
for each file and reads it once; CPU time is that of the reading alone, after imports, and the peak is the most memory
that the process ever held (VmHWM). Beside ours stands what the whole jail took: the fork, the walls, telling what the
file is, reading, cutting it into chunks in the embedder's tokens, telling the language, sending all of it.

*Found* is the share of the reference's words, each as often as it stands there; *foreign* the share of the words read
that the reference lacks; *order* is told in ``scoring``. The reference is what a person sees, where that is known: of
files made by ``corpus``, of short ones, and of the ASVS, whose authors' own text lies beside it. Elsewhere it is what
at least two readers say, which favours those that are alike. Nothing is said of foreign words where only two read the
type, and of the ASVS, of which some chapters are known. A reader that fails on a file has no time there.
Markdown's marks and links' addresses are not counted in what markitdown says, whose form of output that is.
"""

import argparse
import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from statistics import fmean

from benchmarks.corpus import all_made
from benchmarks.landmarks import LANDMARKS, TEXTS
from benchmarks.scoring import Marks, agreed, landmarks_in_order, marks, words
from models.errors import MayflyError
from tests.support.jails import Jailer, running_jailer

OURS = "ours"
PEERS = {
    "docx": ("markitdown", "python-docx"),
    "pptx": ("markitdown", "python-pptx"),
    "xlsx": ("markitdown", "openpyxl"),
    "pdf": ("markitdown", "pypdf"),
    "html": ("markitdown", "beautifulsoup"),
    "epub": ("markitdown",),
    "csv": ("markitdown",),
    "rtf": ("striprtf",),
    "odt": ("odfdo",),
    "odp": ("odfdo",),
    "ods": ("odfdo",),
    "eml": ("markitdown",),
    "txt": ("markitdown",),
    "md": ("markitdown",),
    "json": ("markitdown",),
    "srt": ("markitdown", "pysubs2"),
    "vtt": ("markitdown", "pysubs2"),
}
# Some of the chapters.
TRUTHS = {
    "OWASP_Application_Security_Verification_Standard_4.0.3-ru.docx": "asvs-ru",
    "OWASP_Application_Security_Verification_Standard_4.0.3-zh-cn.docx": "asvs-zh-cn",
    "OWASP_Application_Security_Verification_Standard_4.0.3-ru.pdf": "asvs-ru",
}
_FOLDERS = {"odf": "", "mail": "eml", "subtitles": ""}
_READ = Path(__file__).parent / "peers" / "read.py"
_TABLE = Path(__file__).with_suffix(".md")
_BEGIN, _END = "<!-- tables -->\n", "<!-- end of tables -->\n"
_PYTHON = Path("build/peers/readers/bin/python")
_MIB = 1024 * 1024
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)|<[^>]+>|\[\^?\w+\]:?")


@dataclass(frozen=True, slots=True)
class Case:
    """A file, its type, and what a person sees of it, if that is known; ``neutral`` counts neither way."""

    name: str
    type: str
    path: Path
    truth: str | None = field(default=None, repr=False)
    neutral: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """What a reader made of a file. ``jail_seconds`` is ours alone: the CPU time of the whole jail."""

    text: str = field(repr=False)
    failure: str
    cpu_seconds: float
    peak_bytes: int
    pages: int = 1
    jail_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """A reader's marks and costs for one file; costs a page."""

    marks: Marks
    is_foreign_known: bool
    cpu_seconds: float
    jail_seconds: float | None
    peak_bytes: int
    has_failed: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=Path, default=Path("../shared/documents"))
    parser.add_argument("--only", nargs="*", default=list(PEERS), metavar="TYPE")
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if not _PYTHON.exists():
        print("nothing is compared: run benchmarks/peers/make-venv first", file=sys.stderr)
        return
    scores = dict[Case, dict[str, Score]]()
    with tempfile.TemporaryDirectory() as name, running_jailer() as jailer:
        for case in [*made(Path(name)), *collected(arguments.documents)]:
            if case.type in arguments.only:
                reads = {OURS: ours(jailer, case)} | {peer: read(case, _peer(peer)) for peer in PEERS[case.type]}
                if any(each.text.strip() for each in reads.values()):  # Else it is a picture of a text.
                    scores[case] = scored(case, reads)
    text = "\n".join(tables(scores)) + "\n"
    if arguments.write:
        before, _, rest = _TABLE.read_text(encoding="utf-8").partition(_BEGIN)
        _TABLE.write_text(before + _BEGIN + text + _END + rest.partition(_END)[2], encoding="utf-8")
    print(text)


def made(folder: Path) -> Iterator[Case]:
    """Yield the documents of ``corpus``, written into a folder."""
    for document in all_made():
        path = folder / document.name
        path.write_bytes(document.data)
        yield Case(f"made: {path.name}", path.suffix[1:], path, "\n".join(document.truth), "\n".join(document.neutral))


def collected(documents: Path) -> Iterator[Case]:
    """Yield the files beside the checkout, of the types that others read as well."""
    for folder in (*PEERS, *_FOLDERS):
        for path in sorted((documents / folder).glob("*")):
            sources = sorted((documents / "truth" / TRUTHS.get(path.name, "-")).glob("*.md"))
            truth = "\n".join(_LINK.sub(r" \1 ", unescape(source.read_text(encoding="utf-8"))) for source in sources)
            kind = _FOLDERS.get(folder, folder) or path.suffix[1:]
            if not any(word in path.name for word in ("password", "protected")):
                name = f"{folder}/{path.name}"
                yield Case(name, kind, path, TEXTS.get(name) or truth or None)


def ours(jailer: Jailer, case: Case) -> Read:
    """Read a file with our readers alone, and then in a jail."""
    alone = read(case, [sys.executable, "-m", "benchmarks.own_reader"])
    with contextlib.suppress(MayflyError):  # A refusal costs time, too; which it is, the reader alone has told.
        jailer.extract(case.path.read_bytes(), case.path.name)
    told = jailer.told()
    while told["event"] != "jail_ended":
        told = jailer.told()
    return Read(alone.text, alone.failure, alone.cpu_seconds, alone.peak_bytes, alone.pages, told["cpu_seconds"])


def _peer(name: str) -> list[str]:
    return [str(_PYTHON), "-W", "ignore", str(_READ), name]


def read(case: Case, command: Sequence[str]) -> Read:
    """Read a file with one reader in a process of its own."""
    environment = os.environ | {"ORT_DISABLE_TELEMETRY": "1"}
    ended = subprocess.run([*command, str(case.path)], capture_output=True, check=True, env=environment)
    said = json.loads(ended.stdout.splitlines()[-1])
    text = _LINK.sub(r" \1 ", said["text"]) if "markitdown" in command else said["text"]
    return Read(text, said["failure"], said["cpu_seconds"], said["peak_bytes"], max(1, said.get("pages", 1)))


def scored(case: Case, reads: dict[str, Read]) -> dict[str, Score]:
    """Hold every reader against what a person sees, or against what two of them say."""
    neutral = set(words(case.neutral))
    said = {name: [word for word in words(read.text) if word not in neutral] for name, read in reads.items()}
    truth = None if case.truth is None else [word for word in words(case.truth) if word not in neutral]
    reference = agreed([Counter(each) for each in said.values()]) if truth is None else Counter(truth)
    pages = reads[OURS].pages
    found = dict[str, Score]()
    for name, read in reads.items():
        others = [each for other, each in said.items() if other != name and each]
        mark = marks(said[name], reference, [truth] if truth is not None else others)
        if case.name in LANDMARKS:
            mark = Marks(mark.found, mark.foreign, landmarks_in_order(LANDMARKS[case.name], read.text))
        jail = None if read.jail_seconds is None else read.jail_seconds / pages
        is_known = len(reads) > 2 if truth is None else case.path.name not in TRUTHS
        found[name] = Score(mark, is_known, read.cpu_seconds / pages, jail, read.peak_bytes, bool(read.failure))
    return found


def tables(scores: dict[Case, dict[str, Score]]) -> Iterator[str]:
    """Yield the lines of a table of the types' means, then of one file by file."""
    load = " ".join(f"{each:.1f}" for each in os.getloadavg())
    yield f"Python {platform.python_version()}, {os.cpu_count()} cores; load at the end (1, 5, 15 minutes): {load}."
    costs = "Found | Foreign | Order | CPU ms a page | whole jail | Peak MiB |"
    yield f"\n| Type | Files | Reader | {costs}\n|---|---|---|---|---|---|---|---|---|"
    for kind, others in PEERS.items():
        of_kind = [by_reader for case, by_reader in scores.items() if case.type == kind]
        for name in (OURS, *others) if of_kind else ():
            yield _line(kind, str(len(of_kind)), name, [by_reader[name] for by_reader in of_kind])
    yield f"\n## File by file\n\n| File | Reference | Reader | {costs}\n|---|---|---|---|---|---|---|---|---|"
    for case, by_reader in scores.items():
        reference = "a person" if case.truth is not None else f"two of {len(by_reader)}"
        for name, score in by_reader.items():
            yield _line(case.name, reference, name, [score])


def _line(first: str, second: str, reader: str, scores: Sequence[Score]) -> str:
    failed = sum(score.has_failed for score in scores)
    found = f"{fmean(score.marks.found for score in scores):.3f}" + (f" ({failed} failed)" if failed else "")
    foreign = [score.marks.foreign for score in scores if score.is_foreign_known]
    seconds = [score.cpu_seconds for score in scores if not score.has_failed]
    jail = [score.jail_seconds for score in scores if score.jail_seconds is not None]
    cells = (
        first,
        second,
        reader,
        found,
        f"{fmean(foreign):.3f}" if foreign else "",
        f"{fmean(score.marks.order for score in scores):.3f}",
        f"{fmean(seconds) * 1000:.1f}" if seconds else "",
        f"{fmean(jail) * 1000:.0f}" if jail else "",
        f"{max(score.peak_bytes for score in scores) / _MIB:.0f}",
    )
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
