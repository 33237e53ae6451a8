"""``multipart/form-data`` as it arrives: parts out while bytes go in, nothing spooled, nothing kept.

Only files in fields named ``file`` are taken. FastAPI's own parser is not used: over a megabyte it writes to the
system's temp directory in the clear.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, MultipartState, parse_options_header

from api.problems import FieldsInvalid, MalformedBody, UnsupportedContentType

FIELD = "file"
_MAX_BOUNDARY_BYTES = 70  # RFC 2046, section 5.1.1
_MAX_HEADERS = 8
_MAX_HEADER_BYTES = 4096
_MAX_FILENAME_CHARACTERS = 255
_MAX_TYPE_CHARACTERS = 255


@dataclass(frozen=True, slots=True)
class FileStart:
    """A file begins; name and type are what the client claims."""

    untrusted_filename: str = field(repr=False)
    untrusted_media_type: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileBytes:
    """Some bytes of the current file."""

    untrusted: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class FileEnd:
    """The current file is complete."""


Part = FileStart | FileBytes | FileEnd


def boundary_of(content_type: str | None) -> bytes:
    """Return the boundary of a multipart content type.

    Raises ``UnsupportedContentType`` for any other type and ``MalformedBody`` without a usable boundary.
    """
    kind, options = parse_options_header(content_type)
    if kind != b"multipart/form-data":
        raise UnsupportedContentType
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= _MAX_BOUNDARY_BYTES:
        raise MalformedBody
    return boundary


class FormReader:
    """Parses one form. Call ``feed`` with the bytes as they come and ``finish`` at their end."""

    def __init__(self, boundary: bytes) -> None:
        # What the parser calls knows nothing of the parser: in a circle, a name would outlive its request until the
        # next garbage collection.
        self._collected = _Collected()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._collected.begin,
                "on_header_field": self._collected.add_header_name,
                "on_header_value": self._collected.add_header_value,
                "on_header_end": self._collected.end_header,
                "on_headers_finished": self._collected.end_headers,
                "on_part_data": self._collected.add_data,
                "on_part_end": self._collected.end,
            },
            max_header_count=_MAX_HEADERS,
            max_header_size=_MAX_HEADER_BYTES,
        )

    @property
    def files(self) -> int:
        """How many files have begun."""
        return self._collected.files

    def feed(self, untrusted: bytes) -> Iterator[Part]:
        """Yield what these bytes complete. Raises ``MalformedBody``, ``FieldsInvalid`` (a part that is not a file)."""
        try:
            self._parser.write(untrusted)
        except FormParserError as error:
            raise MalformedBody from error
        yield from self._collected.take()

    def finish(self) -> None:
        """Check that the form is complete. Raises ``MalformedBody``, or ``FieldsInvalid`` when it holds no file."""
        if self._parser.state != MultipartState.END:
            raise MalformedBody
        if self.files == 0:
            raise FieldsInvalid([(f"/{FIELD}", "missing")])


class _Collected:
    """What the parser has come upon and nobody has taken yet."""

    def __init__(self) -> None:
        self.files = 0
        self._parts: list[Part] = []
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._headers: dict[str, str] = {}

    def take(self) -> list[Part]:
        parts, self._parts = self._parts, []
        return parts

    def begin(self) -> None:
        self._headers.clear()

    def add_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def add_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def end_header(self) -> None:
        self._headers[self._header_name.decode("latin-1").lower()] = self._header_value.decode("latin-1")
        self._header_name.clear()
        self._header_value.clear()

    def end_headers(self) -> None:
        name, filename = _disposition(self._headers.get("content-disposition", ""))
        if name != FIELD:
            raise FieldsInvalid([("", "extra_forbidden")])
        if not filename:
            raise FieldsInvalid([(f"/{FIELD}", "filename_missing")])
        self.files += 1
        media_type = self._headers.get("content-type", "")[:_MAX_TYPE_CHARACTERS] or None
        self._parts.append(FileStart(filename[:_MAX_FILENAME_CHARACTERS], media_type))

    def add_data(self, data: bytes, start: int, end: int) -> None:
        self._parts.append(FileBytes(data[start:end]))

    def end(self) -> None:
        self._parts.append(FileEnd())


def _disposition(header: str) -> tuple[str | None, str | None]:
    """Return field name and file name of a ``Content-Disposition``; RFC 7578 forbids the extended ``name*`` forms."""
    kind, options = parse_options_header(header)
    if kind != b"form-data":
        raise MalformedBody
    return _decoded(options.get(b"name")), _decoded(options.get(b"filename"))


def _decoded(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")
