"""What kind of document some bytes are, judged by the bytes.

Owns the signature table. A name or declared type never decides what a file is: it can only contradict the bytes, and
then the file is refused (which also ends most polyglots), or say that plain text is Markdown. Refuses everything it
does not know.
"""

import re
from dataclasses import dataclass
from enum import Enum
from pathlib import PurePosixPath

from ingestion.encoding import decode
from models.errors import EmptyDocument, UnsupportedType


class Family(Enum):
    """A family of formats; each has one extractor."""

    PDF = "pdf"
    IMAGE = "image"
    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Identified:
    """What a document is."""

    family: Family
    media_type: str


_PDF_WITHIN_BYTES = 1024
_IMAGE_SIGNATURES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (re.compile(rb"\xff\xd8\xff"), "image/jpeg"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "image/webp"),
    (re.compile(rb"II\x2a\x00|MM\x00\x2a|II\x2b\x00|MM\x00\x2b"), "image/tiff"),
)
# Known formats that are not read, named here because some of them would pass for text.
_REFUSED = re.compile(
    rb"PK\x03\x04|PK\x05\x06|\x1f\x8b|BZh|\xfd7zXZ|7z\xbc\xaf|Rar!|\xd0\xcf\x11\xe0|GIF8|BM.{4}\0\0\0\0|MZ|\x7fELF|"
    rb"\{\\rtf|%!PS|\0\0\0.ftyp|ID3|OggS|fLaC|#!",
    re.DOTALL,
)
# Possessive: a comment ends at its first end, and what was taken is never tried again.
_HTML_START = re.compile(
    r"\s*+(?:<!--(?:(?!-->).)*+-->\s*+)*+(?:<\?xml[^>]*\?>\s*)?(?:<!doctype\s+html|<html[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_HTML_TAG = re.compile(r"<(?:body|head|div|p|h[1-6]|ul|ol|table|span|br|a|section|article)\b[^<>]*+>", re.IGNORECASE)
_XML_START = re.compile(r"\s*<(?:\?xml|svg|!DOCTYPE|!ENTITY)", re.IGNORECASE)

_TEXT, _OTHER = "text", "other"
_CLAIM_BY_SUFFIX = {
    ".pdf": "pdf",
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"), "image"),
    **dict.fromkeys((".txt", ".text", ".md", ".markdown", ".htm", ".html", ".xhtml", ".csv", ".srt", ".vtt"), _TEXT),
    **dict.fromkeys((".docx", ".pptx", ".xlsx", ".doc", ".ppt", ".xls", ".odt", ".odp", ".ods", ".rtf"), _OTHER),
    **dict.fromkeys((".epub", ".zip", ".gz", ".tar", ".7z", ".rar", ".exe", ".dll", ".js", ".svg", ".xml"), _OTHER),
    **dict.fromkeys((".eml", ".gif", ".bmp", ".ico", ".heic", ".mp3", ".mp4", ".sh", ".bat", ".ps1"), _OTHER),
}  # fmt: skip
_MARKDOWN_SUFFIXES = {".md", ".markdown"}
_HTML_SUFFIXES = {".htm", ".html", ".xhtml"}


def identify(untrusted: bytes, untrusted_filename: str, untrusted_media_type: str | None) -> Identified:
    """Return what the bytes are.

    Raises ``EmptyDocument`` when there are none, ``UnsupportedType`` when they are nothing that is read here, or not
    what they are declared to be.
    """
    if not untrusted:
        raise EmptyDocument
    suffix = PurePosixPath(untrusted_filename.lower().rstrip(". ")).suffix
    declared = (untrusted_media_type or "").partition(";")[0].strip().lower()
    found = _binary(untrusted) or _textual(untrusted, suffix, declared)
    kind = found.family.value if found.family in {Family.PDF, Family.IMAGE} else _TEXT
    if {_CLAIM_BY_SUFFIX.get(suffix, kind), _claim_of(declared) or kind} != {kind}:
        raise UnsupportedType
    return found


def _binary(untrusted: bytes) -> Identified | None:
    for signature, media_type in _IMAGE_SIGNATURES:
        if signature.match(untrusted):
            return Identified(Family.IMAGE, media_type)
    if _REFUSED.match(untrusted):
        raise UnsupportedType
    if b"%PDF-" in untrusted[:_PDF_WITHIN_BYTES]:
        return Identified(Family.PDF, "application/pdf")
    return None


def _textual(untrusted: bytes, suffix: str, declared: str) -> Identified:
    start = decode(untrusted[:65_536], cut=True)
    if start is None:
        raise UnsupportedType
    claims_html = suffix in _HTML_SUFFIXES or declared in {"text/html", "application/xhtml+xml"}
    if _HTML_START.match(start) or (claims_html and _HTML_TAG.search(start)):
        return Identified(Family.HTML, "text/html")
    if _XML_START.match(start):
        raise UnsupportedType
    if suffix in _MARKDOWN_SUFFIXES or declared in {"text/markdown", "text/x-markdown"}:
        return Identified(Family.MARKDOWN, "text/markdown")
    return Identified(Family.TEXT, "text/plain")


def _claim_of(declared: str) -> str | None:
    if declared in {"application/pdf", "application/x-pdf"}:
        return "pdf"
    if declared.startswith(("application/vnd.", "application/msword", "application/epub", "application/zip", "audio/")):
        return _OTHER
    if declared.startswith("video/") or declared in {"image/gif", "image/svg+xml", "image/heic", "image/bmp"}:
        return _OTHER
    if declared.startswith("image/"):
        return "image"
    return _TEXT if declared.startswith("text/") or declared == "application/xhtml+xml" else None
