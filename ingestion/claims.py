"""What a file's name and declared type say that it is.

Browsers and mail programs often declare a type that is vague or that some program registered for it; such a type
contradicts little. A name without a known suffix claims nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

from ingestion.families import MEDIA_TYPES, TEXT_FAMILIES, ZIPPED_FAMILIES, Family

_NOTHING_READ = frozenset[Family]()
_OFFICE = "application/vnd.openxmlformats-officedocument."
_OPEN = "application/vnd.oasis.opendocument."
_MAX_NAME_CHARACTERS = 4096


@dataclass(frozen=True, slots=True)
class Claim:
    """The families that name and type allow, ``None`` each where it says nothing; and the kind of text they name."""

    by_name: frozenset[Family] | None
    by_type: frozenset[Family] | None
    text_family: Family | None

    def allows(self, family: Family) -> bool:
        """Say whether neither name nor type contradicts this."""
        return all(allowed is None or family in allowed for allowed in (self.by_name, self.by_type))

    @property
    def contradicted_by_any_other(self) -> bool:
        """Say whether a format is claimed that is read."""
        return bool(self.by_name) or (bool(self.by_type) and self.by_name is None)

    @property
    def is_of_something_unread(self) -> bool:
        """Say whether name or type are those of a format that is not read, such as a program's."""
        return _NOTHING_READ in {self.by_name, self.by_type}


def _only(families: Iterable[Family], *names: str) -> dict[str, frozenset[Family]]:
    return dict.fromkeys(names, frozenset(families))


_TEXT_SUFFIXES = {
    ".txt": Family.TEXT,
    ".text": Family.TEXT,
    ".log": Family.TEXT,
    ".md": Family.MARKDOWN,
    ".markdown": Family.MARKDOWN,
    ".htm": Family.HTML,
    ".html": Family.HTML,
    ".xhtml": Family.HTML,
    ".csv": Family.CSV,
    ".tsv": Family.CSV,
    ".tab": Family.CSV,
    ".json": Family.JSON,
    ".jsonl": Family.JSON,
    ".ndjson": Family.JSON,
    ".geojson": Family.JSON,
    ".srt": Family.SRT,
    ".vtt": Family.VTT,
    ".eml": Family.EML,
}
_BY_SUFFIX = {
    **_only({Family.PDF}, ".pdf"),
    **_only({Family.IMAGE}, ".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".heic", ".heif"),
    **_only({Family.DOCX}, ".docx", ".dotx"),
    **_only({Family.PPTX}, ".pptx", ".potx", ".ppsx"),
    **_only({Family.XLSX}, ".xlsx", ".xltx"),
    **_only({Family.ODT}, ".odt", ".ott"),
    **_only({Family.ODP}, ".odp", ".otp"),
    **_only({Family.ODS}, ".ods", ".ots"),
    **_only({Family.EPUB}, ".epub"),
    **_only(ZIPPED_FAMILIES, ".zip"),
    **_only({Family.RTF}, ".rtf"),
    # What Word and Excel open under their old suffixes, and school portals export under them.
    **_only({Family.RTF, Family.DOCX, Family.HTML}, ".doc"),
    **_only({Family.XLSX, Family.CSV, Family.HTML, Family.TEXT}, ".xls"),
    **_only(TEXT_FAMILIES, *_TEXT_SUFFIXES),
    **_only((), ".ppt", ".docm", ".dotm", ".pptm", ".ppsm", ".potm", ".xlsm", ".xltm", ".xlsb", ".dot", ".pps"),
    **_only((), ".gz", ".tgz", ".tar", ".7z", ".rar", ".bz2", ".xz", ".zst", ".cab", ".iso", ".jar", ".apk"),
    **_only((), ".exe", ".dll", ".com", ".scr", ".msi", ".js", ".mjs", ".vbs", ".sh", ".bat", ".cmd", ".ps1", ".lnk"),
    **_only((), ".svg", ".xml", ".hta", ".gif", ".bmp", ".ico", ".avif", ".psd", ".eps", ".ps"),
    **_only((), ".mp3", ".mp4", ".m4a", ".m4v", ".mov", ".wav", ".avi", ".mkv", ".webm", ".ogg", ".flac", ".aac"),
}
_TEXT_TYPES = {
    "text/markdown": Family.MARKDOWN,
    "text/x-markdown": Family.MARKDOWN,
    "text/html": Family.HTML,
    "application/xhtml+xml": Family.HTML,
    "text/csv": Family.CSV,
    "application/csv": Family.CSV,
    "text/tab-separated-values": Family.CSV,
    "application/json": Family.JSON,
    "application/x-ndjson": Family.JSON,
    "application/x-subrip": Family.SRT,
    "text/vtt": Family.VTT,
    "message/rfc822": Family.EML,
}
_BY_TYPE = {
    **{media_type: frozenset({family}) for family, media_type in MEDIA_TYPES.items()},
    **_only({Family.PDF}, "application/x-pdf"),
    **_only({Family.RTF}, "text/rtf", "application/x-rtf"),
    **_only({Family.RTF, Family.DOCX, Family.HTML}, "application/msword"),
    **_only({Family.DOCX}, _OFFICE + "wordprocessingml.template"),
    **_only({Family.PPTX}, _OFFICE + "presentationml.template", _OFFICE + "presentationml.slideshow"),
    **_only({Family.XLSX}, _OFFICE + "spreadsheetml.template"),
    **_only({Family.ODT}, _OPEN + "text-template"),
    **_only({Family.ODP}, _OPEN + "presentation-template"),
    **_only({Family.ODS}, _OPEN + "spreadsheet-template"),
    # Windows declares this for every .csv once Excel is installed.
    **_only({*TEXT_FAMILIES, Family.XLSX}, "application/vnd.ms-excel"),
    **_only({Family.PPTX}, "application/vnd.ms-powerpoint"),
    **_only(ZIPPED_FAMILIES, "application/zip", "application/x-zip", "application/x-zip-compressed"),
    **_only(TEXT_FAMILIES, "text/plain", *_TEXT_TYPES),
    **_only((), "image/gif", "image/svg+xml", "image/bmp", "image/avif", "image/x-icon", "application/gzip"),
    **_only((), "application/x-tar", "application/x-7z-compressed", "application/vnd.rar", "application/x-msdownload"),
}


def of(untrusted_filename: str, untrusted_media_type: str | None) -> Claim:
    """Return what a name and a declared type claim."""
    name = untrusted_filename[-_MAX_NAME_CHARACTERS:].lower().rstrip(". ")
    suffix = PurePosixPath(name.rpartition("/")[2].rpartition("\\")[2]).suffix
    declared = (untrusted_media_type or "").partition(";")[0].strip().lower()
    text_family = _TEXT_SUFFIXES.get(suffix) or _TEXT_TYPES.get(declared)
    return Claim(_BY_SUFFIX.get(suffix), _by_type(declared), text_family)


def _by_type(declared: str) -> frozenset[Family] | None:
    if declared in _BY_TYPE:
        return _BY_TYPE[declared]
    major = declared.partition("/")[0]
    if major in {"audio", "video", "font", "model"} or declared.startswith("application/vnd."):
        return _NOTHING_READ
    if major == "image":
        return frozenset({Family.IMAGE})
    return frozenset(TEXT_FAMILIES) if major == "text" else None
