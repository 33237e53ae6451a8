"""One document through one other reader: ``python read.py READER FILE`` writes a line of JSON.

It runs in the peers' environment and so imports nothing of ours. Time is that of the reading alone, after imports.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def markitdown() -> Callable[[str], str]:
    from markitdown import MarkItDown  # type: ignore[reportMissingImports] - not in our environment.

    reader = MarkItDown()
    return lambda file: reader.convert(file).text_content


def pypdf() -> Callable[[str], str]:
    from pypdf import PdfReader

    return lambda file: "\n".join(page.extract_text() for page in PdfReader(file).pages)


def python_docx() -> Callable[[str], str]:
    import docx
    from docx.table import Table

    def texts(document: Any) -> Iterator[str]:
        for block in document.iter_inner_content():
            if isinstance(block, Table):
                yield from (cell.text for row in block.rows for cell in row.cells)
            else:
                yield block.text

    return lambda file: "\n".join(texts(docx.Document(file)))


def python_pptx() -> Callable[[str], str]:
    import pptx

    def texts(show: Any) -> Iterator[str]:
        for slide in show.slides:
            for shape in slide.shapes:
                if shape.has_text_frame:
                    yield shape.text_frame.text
                if shape.has_table:
                    yield from (cell.text for row in shape.table.rows for cell in row.cells)

    return lambda file: "\n".join(texts(pptx.Presentation(file)))


def openpyxl() -> Callable[[str], str]:
    from openpyxl import load_workbook

    def texts(book: Any) -> Iterator[str]:
        for sheet in book.worksheets:
            for row in sheet.iter_rows(values_only=True):
                yield " ".join(str(value) for value in row if value is not None)

    return lambda file: "\n".join(texts(load_workbook(file, read_only=True, data_only=True)))


def striprtf() -> Callable[[str], str]:
    from striprtf.striprtf import rtf_to_text

    return lambda file: rtf_to_text(Path(file).read_text(encoding="latin-1"))


def beautifulsoup() -> Callable[[str], str]:
    from bs4 import BeautifulSoup  # type: ignore[reportMissingImports] - as above.

    return lambda file: BeautifulSoup(Path(file).read_bytes(), "html.parser").get_text("\n")


def odfdo() -> Callable[[str], str]:
    from odfdo import Document  # type: ignore[reportMissingImports] - as above.

    return lambda file: Document(file).get_formatted_text()


def pysubs2() -> Callable[[str], str]:
    from pysubs2 import SSAFile  # type: ignore[reportMissingImports] - as above.

    return lambda file: "\n".join(event.plaintext for event in SSAFile.load(file))


READERS = {
    reader.__name__.replace("_", "-"): reader
    for reader in (
        markitdown, pypdf, python_docx, python_pptx, openpyxl, striprtf, beautifulsoup, odfdo, pysubs2,
    )
}  # fmt: skip


def peak_bytes() -> int:
    """Return the most memory held since this program began; rusage also counts what its parent held before."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024


def main() -> None:
    name, file = sys.argv[1:]
    read = READERS[name]()
    started = time.process_time()
    try:
        text = read(file)
    except Exception as error:  # noqa: BLE001 - a reader that fails has found nothing; the table tells which.
        text, failure = "", type(error).__name__
    else:
        failure = ""
    took = time.process_time() - started
    said = {"text": text, "failure": failure, "cpu_seconds": took, "peak_bytes": peak_bytes()}
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    main()
