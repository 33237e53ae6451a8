"""Mails: subject, sender, recipients and date, then what was written. Attachments are counted, never opened."""

import contextlib
import email
import email.policy
import re
from collections.abc import Iterator, Sequence
from email.message import EmailMessage, Message, MIMEPart

from ingestion import encoding
from ingestion.extract import html
from ingestion.extract.reading import Block, Pages, Reading, Work
from ingestion.limits import JailLimits
from models.errors import ParserFailed, TooComplex

_PARTS_WITH_PARTS = re.compile(rb"^content-type:\s*(?:multipart|message)/", re.IGNORECASE | re.MULTILINE)
# The standard library's parser of header values takes time square in their length, and recursion. Longer ones that say
# how a part is to be read are refused; of others, as much is shown as it stands there.
_MAX_HEADER_CHARACTERS = 8_000
_PARSED_HEADERS = frozenset({"content-type", "content-disposition", "content-transfer-encoding"})
_SHOWN_HEADERS = ("From", "To", "Cc", "Date")
_NOT_IN_A_BODY = (ValueError, LookupError, TypeError, AttributeError, AssertionError)


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the mail as one page. Raises ``TooComplex`` (nesting, parts, long headers) and ``ParserFailed``."""
    if len(_PARTS_WITH_PARTS.findall(untrusted)) > work.limits.depth:
        raise TooComplex
    try:
        mail = email.message_from_bytes(untrusted, policy=email.policy.default)
        _refuse_excess(mail, work.limits)
        body = _Body(mail)
    except RecursionError as error:
        raise TooComplex from error
    except _NOT_IN_A_BODY as error:
        raise ParserFailed from error
    pages = Pages(work.limits)
    pages.add_blocks([*_head(mail), *(Block(each) for each in body.texts)])
    work.report(1, 1)
    return Reading(pages.all(), attachments=body.attachments)


def _refuse_excess(mail: EmailMessage, limits: JailLimits) -> None:
    for count, part in enumerate(mail.walk()):
        long = any(len(_raw(part, name)) > _MAX_HEADER_CHARACTERS for name in _PARSED_HEADERS)
        if long or count > limits.archive_entries:
            raise TooComplex


def _head(mail: EmailMessage) -> Iterator[Block]:
    if subject := _header(mail, "Subject"):
        yield Block(subject, level=1)
    for index, name in enumerate(_SHOWN_HEADERS):
        if value := _header(mail, name):
            yield Block(f"{name}: {value}", tight=index > 0)


def _header(mail: EmailMessage, name: str) -> str:
    """Return a header decoded, on one line; as it stands where it cannot be parsed."""
    value = _raw(mail, name)[:_MAX_HEADER_CHARACTERS]
    if len(value) < _MAX_HEADER_CHARACTERS:
        # Where it cannot be parsed, it stands for itself.
        with contextlib.suppress(*_NOT_IN_A_BODY, RecursionError):
            value = str(mail.get(name, ""))
    if any("\ud800" <= character <= "\udfff" for character in value):
        # Bytes outside ASCII that stand there undeclared.
        value = encoding.decode(value.encode("utf-8", "surrogateescape")) or ""
    return " ".join(value.split())


def _raw(part: Message, name: str) -> str:
    """Return all values of a header as they stand there, without parsing them."""
    return " ".join(str(value) for key, value in part.raw_items() if key.lower() == name.lower())


class _Body:
    """What a mail says, and how many parts of it are left unopened."""

    def __init__(self, mail: Message) -> None:
        self.attachments = 0
        self.texts = [each for each in self._texts(mail) if each.strip()]

    def _texts(self, part: Message) -> Iterator[str]:
        kind = part.get_content_type()
        if part.get_content_maintype() == "multipart" and part.is_multipart():
            parts = list(part.iter_parts()) if isinstance(part, MIMEPart) else []
            yield from self._alternative(parts) if kind == "multipart/alternative" else self._all(parts)
        elif kind in {"text/plain", "text/html"} and not _is_attachment(part):
            yield _text(part, is_html=kind == "text/html")
        elif part.get_content_maintype() == "multipart":
            # Its parts could not be told from one another.
            yield _text(part, is_html=False)
        else:
            self.attachments += 1

    def _all(self, parts: Sequence[Message]) -> Iterator[str]:
        for part in parts:
            yield from self._texts(part)

    def _alternative(self, parts: Sequence[Message]) -> list[str]:
        """Return the first of the ways to say the same that says anything, plain text before others."""
        ordered = sorted(parts, key=lambda part: part.get_content_type() != "text/plain")
        for part in ordered:
            if texts := [each for each in self._texts(part) if each.strip()]:
                return texts
        return []


def _is_attachment(part: Message) -> bool:
    return part.get_content_disposition() == "attachment" or part.get_filename() is not None


def _text(part: Message, *, is_html: bool) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    said = encoding.decode(payload, declared=part.get_content_charset())
    if said is None:
        return ""
    return html.visible_text(said, marks=False) if is_html else said.replace("\r\n", "\n")
