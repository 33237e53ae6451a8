"""What the jailer does once, before it listens: load everything, and find out which walls this machine can build."""

import codecs
import contextlib
import io
import os
from pathlib import Path

import pypdf
from PIL import Image

from ingestion.chunk import Chunker
from ingestion.encoding import OLD_ENCODINGS
from ingestion.extract import ocr
from ingestion.extract.reading import Work
from ingestion.extract.registry import EXTRACTORS
from ingestion.identify import Family
from ingestion.language import language_of
from ingestion.limits import JailLimits
from ingestion.normalise import normalise
from ingestion.walls import enclose
from models.content import Page


def warm_up(chunker: Chunker) -> None:
    """Load whatever the parsers load at first use, so that a jail finds it in memory. Leaves one thread, or fails."""
    page = Page(1, normalise("Ein Satz, der zeigt, was alles geladen wird.\u0301"))
    chunker.chunks([page], markdown=True, max_chunks=100)
    language_of([page])
    work = Work(JailLimits())
    for family, sample in _samples().items():
        EXTRACTORS[family](sample, work)
    ocr.installed_packs()
    for encoding in OLD_ENCODINGS:
        codecs.lookup(encoding)
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads != 1:
        raise RuntimeError(f"{threads} threads: a fork would copy only one of them")


def probe(limits: JailLimits) -> frozenset[str]:
    """Put walls around a child and return which held. Raises ``RuntimeError`` when it did not come to that."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        with contextlib.suppress(BaseException):
            os.write(theirs, " ".join(enclose(limits, keep=frozenset({theirs}))).encode())
        os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as report:
        walls = report.read().decode("ascii")
    os.waitpid(pid, 0)
    if not walls:
        raise RuntimeError("no jail can be built on this machine")
    return frozenset(walls.split())


def _samples() -> dict[Family, bytes]:
    """Return a harmless document of each family that needs no other program to be read."""
    Image.init()
    text = "Ein Satz, der zeigt, was geladen wird: naïve façade.\n"
    html = f"<html><head><title>t</title></head><body><article><h1>t</h1><p>{text * 9}</p></article></body></html>"
    return {
        Family.PDF: _pdf(),
        Family.HTML: html.encode(),
        Family.MARKDOWN: f"# t\n{text}".encode(),
        Family.TEXT: text.encode("cp1252"),
    }


def _pdf() -> bytes:
    writer, buffer = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(width=72, height=72)
    writer.write(buffer)
    return buffer.getvalue()
