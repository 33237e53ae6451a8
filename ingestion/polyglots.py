"""Files that are two things at once, depending on which program opens them.

Owns the looks at both ends of a file. Refuses with ``TypeMismatch``.

What one format may rightly hold (a ZIP attached to a PDF, a PDF stored in a ZIP) is left alone.
"""

import re

from ingestion import signatures
from models.errors import TypeMismatch

_HEAD_BYTES = 1024
_TAIL_BYTES = 65_535 + 22
_PDF_HEADER = re.compile(rb"%PDF-\d")
_PDF_PARTS = (b"endobj", b"startxref", b"%%EOF", b"trailer", b" obj")
_WEB_PAGE = re.compile(rb"<(?:!doctype\s+html|html|head|body|script|svg|iframe|img)[\s>/]", re.IGNORECASE)
_PROGRAM = re.compile(rb"<[!?/a-zA-Z]|/\*|#!|\b(?:var|let|const|function|import)\b|=\s*[\"'`(\[]")
_DIRECTORY_END = b"PK\x05\x06"
_DIRECTORY_END_BYTES = 22


def is_pdf(untrusted: bytes) -> bool:
    """Say whether a PDF starts within the first kilobyte. A text about PDF has its header at most."""
    header = _PDF_HEADER.search(untrusted[:_HEAD_BYTES])
    if header is None:
        return untrusted.startswith(b"%PDF-")
    return header.start() == 0 or any(part in untrusted for part in _PDF_PARTS) or b"\0" in untrusted[:_HEAD_BYTES]


def refuse_around_pdf(untrusted: bytes) -> None:
    """Raise ``TypeMismatch`` if a page or a program stands before or after the PDF, or an archive ends in it."""
    head = untrusted[:_HEAD_BYTES]
    before = head[: max(0, head.find(b"%PDF-"))]
    after = untrusted[untrusted.rfind(b"%%EOF", -_TAIL_BYTES) :] if b"%%EOF" in untrusted[-_TAIL_BYTES:] else b""
    if _WEB_PAGE.search(head) or _PROGRAM.search(before) or _WEB_PAGE.search(after) or _starts_other(before):
        raise TypeMismatch
    end = _zip_end(untrusted)
    # An attachment that is a ZIP ends inside a stream, and its comment does not reach to the end of the file.
    if end is not None and (end[1] == len(untrusted) or b"endstream" not in untrusted[end[0] :]):
        raise TypeMismatch


def refuse_around_image(untrusted: bytes) -> None:
    """Raise ``TypeMismatch`` if the image starts like a PDF or a page, too, or ends in an archive."""
    if _PDF_HEADER.search(untrusted[:_HEAD_BYTES]) or ends_in_zip(untrusted):
        raise TypeMismatch


def refuse_after_signature(untrusted: bytes) -> None:
    """Raise ``TypeMismatch`` if a PDF starts in, or an archive ends, what starts as something else."""
    if not signatures.is_archive(untrusted) and (_PDF_HEADER.search(untrusted[:_HEAD_BYTES]) or ends_in_zip(untrusted)):
        raise TypeMismatch


def ends_in_zip(untrusted: bytes) -> bool:
    """Say whether a program that looks for a ZIP's directory at the end finds one."""
    return _zip_end(untrusted) is not None


def _zip_end(untrusted: bytes) -> tuple[int, int] | None:
    """Return where the last end of a ZIP's directory lies in the tail, and where its comment ends."""
    at = untrusted.rfind(_DIRECTORY_END, max(0, len(untrusted) - _TAIL_BYTES))
    if at < 0 or at + _DIRECTORY_END_BYTES > len(untrusted):
        return None
    size = int.from_bytes(untrusted[at + 12 : at + 16], "little")
    if size and not untrusted.startswith(b"PK\x01\x02", max(0, at - size)):
        return None
    return at, at + _DIRECTORY_END_BYTES + int.from_bytes(untrusted[at + 20 : at + 22], "little")


def _starts_other(junk: bytes) -> bool:
    return signatures.is_known_and_not_read(junk) or signatures.is_media(junk) or junk.startswith(b"{\\rtf")
