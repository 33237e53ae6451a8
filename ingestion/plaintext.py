"""Which kind of text some text is: told by its first 64 KiB, and by what it claims to be if they allow it.

Refuses bytes that are no text, and XML, which is read in no form but XHTML.
"""

import re

from ingestion.encoding import decode
from ingestion.families import Family
from models.errors import UnsupportedType

_HEAD_BYTES = 65_536
_TAIL_BYTES = 64
# Possessive: a comment ends at its first end, and what was taken is never tried again.
_HTML_START = re.compile(
    r"\s*+(?:<!--(?:(?!-->).)*+-->\s*+)*+(?:<\?xml[^>]*\?>\s*)?(?:<!doctype\s+html|<html[\s>])",
    re.IGNORECASE | re.DOTALL,
)
_HTML_TAG = re.compile(r"<(?:body|head|div|p|h[1-6]|ul|ol|table|span|br|a|section|article)\b[^<>]*+>", re.IGNORECASE)
_XML_START = re.compile(r"\s*<(?:\?xml|svg|!DOCTYPE|!ENTITY)", re.IGNORECASE)
_VTT_START = re.compile(r"\ufeff?WEBVTT(?:\s|\Z)")
_TIMING = re.compile(r"^[ \t]*(?:\d+:)?\d{1,2}:\d{2}[.,]\d{1,3}[ \t]*--+>", re.MULTILINE)
_CUE = re.compile(r"^[ \t]*\d[\d:.,; \t]{0,40}-+>", re.MULTILINE)
_JSON_START = re.compile(r"\s*+[\[{]")
_JSON_CERTAIN = re.compile(r"\s*+(?:\{\s*+[\"}]|\[\s*+(?:[\[{\"\]]|-?\d+\s*+[,\]]))")
_MAIL_HEADERS = re.compile(
    rb"(?:From [^\n]*\n)?((?:[A-Za-z][\w-]{0,60}:[^\n]*+\n(?:[ \t][^\n]*+\n)*+){2,})", re.IGNORECASE
)
_MAIL_NAMES = re.compile(
    rb"^(?:from|to|subject|date|received|return-path|message-id|mime-version|delivered-to|content-type):",
    re.IGNORECASE | re.MULTILINE,
)


def family_of(untrusted: bytes, claimed: Family | None) -> Family:
    """Return the kind of text. Raises ``UnsupportedType``.

    A claim of JSON, subtitles or mail that the text does not bear out is no contradiction: it is plain text then.
    """
    head = untrusted[:_HEAD_BYTES]
    # A mail may hold bytes in several encodings: it is text all the same.
    if claimed in {Family.EML, None} and _is_mail(head):
        return Family.EML
    start = decode(head, cut=True)
    if start is None:
        raise UnsupportedType
    if _HTML_START.match(start) or (claimed is Family.HTML and _HTML_TAG.search(start)):
        return Family.HTML
    if _XML_START.match(start):
        raise UnsupportedType
    return _sniffed(start) if claimed is None else _borne_out(start, untrusted, claimed)


def _sniffed(start: str) -> Family:
    if _VTT_START.match(start):
        return Family.VTT
    if _TIMING.search(start[:1024]):
        return Family.SRT
    return Family.JSON if _JSON_CERTAIN.match(start) else Family.TEXT


def _borne_out(start: str, untrusted: bytes, claimed: Family) -> Family:
    if claimed in {Family.MARKDOWN, Family.CSV}:
        return claimed
    if claimed in {Family.SRT, Family.VTT} and (_VTT_START.match(start) or _CUE.search(start)):
        return Family.VTT if _VTT_START.match(start) else Family.SRT
    is_closed = untrusted[-_TAIL_BYTES:].rstrip(b" \t\r\n\0").endswith((b"}", b"]"))
    if claimed is Family.JSON and _JSON_START.match(start) and is_closed:
        return Family.JSON
    return Family.TEXT


def _is_mail(head: bytes) -> bool:
    headers = _MAIL_HEADERS.match(head.replace(b"\r\n", b"\n").lstrip(b"\xef\xbb\xbf"))
    return headers is not None and len({name.lower() for name in _MAIL_NAMES.findall(headers[1])}) >= 2
