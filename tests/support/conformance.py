"""Documents that others wrote, held against what a manifest says of them, through the HTTP interface alone.

Owns what a manifest's line asks for and how it is decided whether a reply gives it. ``Expectation`` is one line;
``Inspector.inspect`` uploads its file, waits, asks for the text it must contain and deletes the document again.
"""

import csv
import itertools
import json
import re
import threading
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from api.client import FINAL, Document, LearnerSession, Problem, Question
from models.content import DocumentStatus, Passage
from models.errors import EmptyDocument
from tests.support.service import Service, eventually

TOP_K = 20
# What a jail has for a document without recognition, and some for the way there and back on a busy machine.
READING_SECONDS = 60.0
GRACE_SECONDS = 60.0
LONGEST_SECONDS = 1_500.0
LOG_SECONDS = 5.0
LOOK_EVERY_SECONDS = 0.1
# Stages that are not the reading of a file: they have limits of their own.
_OTHER_STAGES = {"queued", "waiting", "recognising", "embedding"}
_CJK = "[\u3000-\u30ff\u3400-\u9fff\uf900-\ufaff\uff00-\uffef]"
_BETWEEN_CJK = re.compile(f"(?<={_CJK}) +(?={_CJK})")
# What chunks may leave out between them: white space.
_GAP_CHARACTERS = 4
_FOLLOW_UPS = 20
_EMPTY_IS_RIGHT = "must give an empty result"


@dataclass(frozen=True, slots=True)
class Expectation:
    """One line of a manifest: a file, whether it is there for quality or is hostile, and what it must give."""

    path: Path
    file: str
    kind: str
    page: int | None
    must_contain: str
    why: str

    @property
    def type(self) -> str:
        """The folder it lies in, which is its type."""
        return self.file.partition("/")[0]

    @property
    def rule(self) -> str:
        """The rule for the tester that stands in place of a text, or nothing."""
        return self.must_contain if self.must_contain.startswith("(") else ""

    @property
    def text(self) -> str:
        """The text that must be found, or nothing."""
        return "" if self.rule else folded(self.must_contain)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a file. ``complaint`` is empty when that is what the manifest asks for.

    ``found`` tells whether the text was found, if one was asked for; ``in_one_passage`` whether one quotation holds
    all of it, or only several that follow on one another. CPU seconds and peak bytes are those of its jail, if known.
    """

    expectation: Expectation
    outcome: str
    complaint: str = ""
    found: bool | None = None
    in_one_passage: bool = False
    seconds: float = 0.0
    cpu_seconds: float | None = None
    peak_bytes: int | None = None


def expectations(folder: Path, *, kinds: Iterable[str] = ("quality", "hostile")) -> list[Expectation]:
    """Return the lines of a folder's manifest that are of these kinds."""
    wanted = set(kinds)
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as lines:
        return [
            Expectation(
                folder / row["file"],
                row["file"],
                row["kind"],
                int(row["page"]) if row.get("page") else None,
                (row.get("must_contain") or "").strip(),
                row.get("why") or "",
            )
            for row in csv.DictReader(lines, delimiter="\t")
            if row["kind"] in wanted
        ]


def folded(text: str) -> str:
    """Return the text as manifests want it compared: NFKC, white space folded, none between CJK characters."""
    return _BETWEEN_CJK.sub("", " ".join(unicodedata.normalize("NFKC", text).split()))


def codes(problems_page: Path) -> frozenset[str]:
    """Return the codes that are documented there."""
    return frozenset(re.findall(r"^\| `([a-z_]+)` \|", problems_page.read_text(encoding="utf-8"), re.MULTILINE))


class JailLog:
    """What the jailer's log says of jails that ended, from now on; nothing where there is no log to read."""

    def __init__(self, service: Service | None) -> None:
        self._service = service
        self._seen = self._count()

    def next(self) -> dict[str, float]:
        """Return the facts of the jail that ended since the last call; none when none did in time."""
        if self._service is None or not eventually(lambda: self._count() > self._seen, seconds=LOG_SECONDS):
            return {}
        ended = self._ended()
        since, self._seen = ended[self._seen :], len(ended)
        return since[-1]

    def _count(self) -> int:
        return len(self._ended())

    def _ended(self) -> list[dict[str, float]]:
        if self._service is None:
            return []
        return [json.loads(line) for line in self._service.log.splitlines() if '"jail_ended"' in line]


class Inspector:
    """Holds files against their manifest, one after the other, in one learner's session."""

    def __init__(self, learner: LearnerSession, codes: frozenset[str], log: JailLog) -> None:
        self._learner = learner
        self._codes = codes
        self._log = log

    def inspect(self, expectation: Expectation) -> Result:
        """Upload the file, see what becomes of it, and leave the session as it was."""
        started = time.monotonic()
        name = Path(expectation.file).name
        try:
            (document,) = self._learner.upload((name, expectation.path.read_bytes(), "application/octet-stream"))
        except Problem as problem:
            return Result(expectation, problem.code, self._refused(expectation, problem.code))
        try:
            document = self.wait(document.document_id)
            seconds = time.monotonic() - started
            found, whole = self._found(document, expectation) if expectation.text else (None, False)
        finally:
            self._learner.delete(document.document_id)
        facts = self._log.next()
        peak = facts.get("peak_bytes")
        return Result(
            expectation,
            outcome=document.error or document.status,
            complaint=self._complaint(expectation, document, found=found),
            found=found,
            in_one_passage=whole,
            seconds=seconds,
            cpu_seconds=facts.get("cpu_seconds"),
            peak_bytes=None if peak is None else int(peak),
        )

    def wait(self, document_id: str, *, enough: frozenset[DocumentStatus] = FINAL) -> Document:
        """Return the document once it has one of these statuses, or as it is when it took longer than it may."""
        began = time.monotonic()
        while True:
            document = self._learner.document(document_id)
            elapsed = time.monotonic() - began
            others = sum(timing.seconds for stage, timing in document.timings.items() if stage in _OTHER_STAGES)
            is_over = elapsed - others > READING_SECONDS + GRACE_SECONDS or elapsed > LONGEST_SECONDS
            if document.status in enough | FINAL or is_over:
                return document
            threading.Event().wait(LOOK_EVERY_SECONDS)

    def _refused(self, expectation: Expectation, code: str) -> str:
        if expectation.kind == "hostile" or expectation.rule.startswith("(refuse"):
            return self._bad_code(code)
        return f"refused: {code}"

    def _complaint(self, expectation: Expectation, document: Document, *, found: bool | None) -> str:
        """Return what is wrong with this end, or nothing."""
        if document.status not in {"ready", "failed"}:
            return f"still {document.status} after its time"
        code = document.error or ""
        if bad := code and self._bad_code(code):
            return bad
        return "" if expectation.kind == "hostile" else self._disappointment(expectation, document, found=found)

    def _disappointment(self, expectation: Expectation, document: Document, *, found: bool | None) -> str:
        """Return what is wrong with the end of a file that is there for quality, or nothing."""
        code = document.error or ""
        if expectation.rule.startswith("(refuse"):
            wanted = "encrypted_document" if "password" in expectation.rule else ""
            return "" if code and code in {wanted, wanted or code} else f"must be refused ({wanted or 'any code'})"
        if _EMPTY_IS_RIGHT in expectation.why:
            is_empty = code == EmptyDocument.slug or (document.status == "ready" and document.chunks == 0)
            return "" if is_empty else f"must be empty, is {code or document.status} with {document.chunks} chunks"
        # A document of which the manifest names no text may hold none; the outcome tells it.
        if code and not (code == EmptyDocument.slug and not expectation.text):
            return f"failed: {code}"
        return "its text was not found" if found is False else ""

    def _bad_code(self, code: str) -> str:
        return "" if code in self._codes and code != "internal_error" else f"ended with {code}"

    def _found(self, document: Document, expectation: Expectation) -> tuple[bool, bool]:
        """Say whether the text is found, and whether in one quotation.

        The question is the text, then parts of it, then the ends of what was quoted: of passages that are nearly alike
        an answer has but one, and the page that is looked for may be another.
        """
        passages = dict[tuple[int, int, int], Passage]()
        if document.status != "ready" or document.chunks == 0:
            return False, False
        quoted = list[str]()
        for question in itertools.chain(questions(expectation.must_contain), quoted):
            wish = Question(text=question, top_k=TOP_K, document_ids=(document.document_id,))
            for passage in self._learner.ask(wish).passages:
                if expectation.page in {None, passage.page}:
                    passages[passage.page, passage.start, passage.end] = passage
                elif len(quoted) < _FOLLOW_UPS:
                    quoted += filter(None, (passage.text[:20].strip(), passage.text[-20:].strip()))
            if any(expectation.text in folded(passage.text) for passage in passages.values()):
                return True, True
        return any(expectation.text in folded(run) for run in joined(passages.values())), False


def questions(text: str) -> Iterator[str]:
    """Yield the text itself, its two halves and its beginning: where a cut goes through it, the halves find both."""
    half = len(text) // 2
    yield from dict.fromkeys(part.strip() for part in (text, text[:half], text[half:], text[:40]) if part.strip())


def joined(passages: Iterable[Passage]) -> Iterator[str]:
    """Yield runs of quotations that follow on one another on a page, with nothing but white space between them."""
    page, end, run = 0, 0, ""
    for passage in sorted(passages, key=lambda each: (each.page, each.start)):
        if (passage.page, True) != (page, passage.start <= end + _GAP_CHARACTERS):
            yield run
            page, end, run = passage.page, passage.start, ""
        gap = " " * max(0, passage.start - end)
        run += gap + passage.text[max(0, end - passage.start) :]
        end = max(end, passage.end)
    yield run
