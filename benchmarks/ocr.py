"""A scan of twenty pages: our reader in a real jail beside bare tesseract.

    python -m benchmarks.ocr

Bare tesseract gets what costs it nothing here: the pages already drawn, at the same resolution, in files on a RAM
disk, and as many processes at once, at the low priority that a jail has. Ours opens the PDF, draws its pages, feeds
them to the program, puts words together, and cuts chunks. The ratio is what all of that adds.
``with_languages_unknown`` is the same document from a learner who said nothing of his languages.
"""

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pypdfium2 as pdfium
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from benchmarks.machine import describe
from ingestion.limits import JailLimits
from tests.support.jails import Jailer, running_jailer

PAGES = 20
WORKERS = 2
_DPI = JailLimits().ocr_dpi
# As ``ingestion.walls`` gives it to a jail.
_JAIL_NICENESS = 5
# The kernel shares out the processor among sessions first: one that is as low as a jail's, and in it the processes.
_BARE = """
echo "$0" >/proc/self/autogroup
exec nice -n "$0" xargs -P "$1" -I {} tesseract {} stdout -l eng --psm 3 tsv >/dev/null 2>&1
"""
_WORDS_A_LINE, _LINES_A_PAGE = 12, 44
_WIDTH, _HEIGHT = 595, 842
_TEXT = Path(__file__).parent.parent / "tests" / "support" / "texts" / "english.txt"
_RAM_DISK = "/dev/shm"  # noqa: S108 - only this program's own pages.


def run(*, pages: int = PAGES, workers: int = WORKERS) -> dict[str, Any]:
    """Read one scan both ways and return seconds, their ratio and how much of the text was found."""
    content = scan(pages)
    with running_jailer(jails=1, limits=JailLimits(ocr_workers=workers)) as jailer:
        bare = _bare(content, workers)
        known, found = _ours(jailer, content, ("en",))
        unknown, found_unknown = _ours(jailer, content, ())
    return {
        "machine": describe(),
        "pages": pages,
        "at_once": workers,
        "seconds_bare_tesseract": round(bare, 1),
        "seconds_ours": round(known, 1),
        "ratio": round(known / bare, 2),
        "words_found": round(found, 4),
        "with_languages_unknown": {
            "seconds": round(unknown, 1),
            "ratio": round(unknown / bare, 2),
            "words_found": round(found_unknown, 4),
        },
    }


def scan(pages: int) -> bytes:
    """Return a PDF of so many pictures of printed pages."""
    printed, buffer = pdfium.PdfDocument(_printed(pages)), io.BytesIO()
    canvas = Canvas(buffer)
    options: Any = {"scale": _DPI / 72, "grayscale": True}
    for page in printed:
        picture = io.BytesIO()
        page.render(**options).to_pil().convert("L").save(picture, "JPEG", quality=80)
        canvas.drawImage(ImageReader(picture), 0, 0, _WIDTH, _HEIGHT)
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _printed(pages: int) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(_WIDTH, _HEIGHT))
    for number in range(pages):
        for line, words in enumerate(_lines(number)):
            canvas.drawString(60, _HEIGHT - 70 - 16 * line, " ".join(words))
        canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _lines(page: int) -> list[list[str]]:
    words = _TEXT.read_text(encoding="utf-8").encode("latin-1", "ignore").decode("latin-1").split()
    start = page * 97  # So that no two pages are the same.
    return [
        [words[(start + line * _WORDS_A_LINE + word) % len(words)] for word in range(_WORDS_A_LINE)]
        for line in range(_LINES_A_PAGE)
    ]


def _ours(jailer: Jailer, content: bytes, languages: tuple[str, ...]) -> tuple[float, float]:
    began = time.perf_counter()
    extraction = jailer.extract(content, "scan.pdf", languages=languages)
    seconds = time.perf_counter() - began
    shares = [_share_found(page.text, number) for number, page in enumerate(extraction.pages)]
    return seconds, sum(shares) / len(shares)


def _share_found(text: str, page: int) -> float:
    wanted, found = [word for line in _lines(page) for word in line], set(text.split())
    return sum(word in found for word in wanted) / len(wanted)


def _bare(content: bytes, workers: int) -> float:
    document = pdfium.PdfDocument(content)
    options: Any = {"scale": _DPI / 72, "grayscale": True}
    with tempfile.TemporaryDirectory(dir=_RAM_DISK) as folder:
        files = list[Path]()
        for number, page in enumerate(document):
            files.append(Path(folder, f"{number}.pgm"))
            page.render(**options).to_pil().convert("L").save(files[-1])
        began = time.perf_counter()
        subprocess.run(
            ("sh", "-c", _BARE, str(_JAIL_NICENESS), str(workers)),
            input="\n".join(map(str, files)), text=True, check=True, start_new_session=True,
            env={"PATH": os.environ["PATH"], "OMP_THREAD_LIMIT": "1"},
        )  # fmt: skip
        return time.perf_counter() - began


if __name__ == "__main__":
    json.dump(run(), sys.stdout, indent=1)
