"""What kind of document some bytes are, judged by the bytes.

Owns the order of the looks: signatures, what lies inside a ZIP, then the kinds of plain text. A name or declared type
never decides what a file is: it can only contradict the bytes, and then the file is refused, or say which kind of plain
text is meant, and then a cheap look at the text must not speak against it. A file that claims to be JSON, subtitles or
mail and is other text is read as plain text. What is two things at once is refused. Refuses everything it does not
know.
"""

import re
from dataclasses import dataclass

from ingestion import claims, plaintext, polyglots, signatures
from ingestion.archive import Archive
from ingestion.families import IMAGE_TYPE_PREFIX, MEDIA_TYPES, TEXT_FAMILIES, Family
from ingestion.limits import JailLimits
from models.errors import (
    EmptyDocument,
    EncryptedDocument,
    LegacyOffice,
    MacroDocument,
    MediaFile,
    TypeMismatch,
    UnsupportedType,
)

__all__ = ["Family", "Identified", "identify"]

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ENCRYPTED_STREAM = "EncryptedPackage".encode("utf-16-le")
_CONTENT_TYPES = "[Content_Types].xml"
_MAIN_PARTS = (
    (re.compile(rb"wordprocessingml\.(?:document|template)\.main\+xml"), Family.DOCX),
    (re.compile(rb"presentationml\.(?:presentation|slideshow|template)\.main\+xml"), Family.PPTX),
    (re.compile(rb"spreadsheetml\.(?:sheet|template)\.main\+xml"), Family.XLSX),
)
_MACRO_PART = re.compile(rb"macroEnabled[\w.]*main\+xml|vnd\.ms-office\.vbaProject", re.IGNORECASE)
_MIMETYPES = {
    "application/epub+zip": Family.EPUB,
    **{
        f"application/vnd.oasis.opendocument.{kind}{form}": family
        for kind, family in (("text", Family.ODT), ("presentation", Family.ODP), ("spreadsheet", Family.ODS))
        for form in ("", "-template")
    },
}


@dataclass(frozen=True, slots=True)
class Identified:
    """What a document is."""

    family: Family
    media_type: str


def identify(
    untrusted: bytes,
    untrusted_filename: str,
    untrusted_media_type: str | None,
    limits: JailLimits = JailLimits(),  # noqa: B008 - frozen
) -> Identified:
    """Return what the bytes are.

    Raises ``EmptyDocument`` when there are none, ``TypeMismatch`` when they are not what they are declared to be or two
    things at once, ``EncryptedDocument``, ``LegacyOffice``, ``MacroDocument`` and ``MediaFile`` for what these say,
    ``UnsupportedType`` for all else that is not read here; and what ``Archive`` raises for a ZIP.
    """
    if not untrusted:
        raise EmptyDocument
    claim = claims.of(untrusted_filename, untrusted_media_type)
    try:
        found = _found(untrusted, claim, limits)
    except UnsupportedType:
        if claim.contradicted_by_any_other:
            raise TypeMismatch from None
        raise
    if claim.is_of_something_unread and found.family in TEXT_FAMILIES:
        raise UnsupportedType
    if not claim.allows(found.family):
        raise TypeMismatch
    return found


def _found(untrusted: bytes, claim: claims.Claim, limits: JailLimits) -> Identified:
    if untrusted.startswith(_OLE):
        raise EncryptedDocument if _ENCRYPTED_STREAM in untrusted else LegacyOffice
    image = signatures.image_type(untrusted)
    if image is not None:
        polyglots.refuse_around_image(untrusted)
        return Identified(Family.IMAGE, IMAGE_TYPE_PREFIX + image)
    if untrusted.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _known(_inside(untrusted, limits))
    if signatures.is_media(untrusted):
        raise MediaFile
    if signatures.is_known_and_not_read(untrusted):
        polyglots.refuse_after_signature(untrusted)
        raise UnsupportedType
    if polyglots.is_pdf(untrusted):
        polyglots.refuse_around_pdf(untrusted)
        return _known(Family.PDF)
    if polyglots.ends_in_zip(untrusted):
        raise TypeMismatch
    if untrusted.startswith(b"{\\rtf"):
        return _known(Family.RTF)
    return _known(plaintext.family_of(untrusted, claim.text_family))


def _known(family: Family) -> Identified:
    return Identified(family, MEDIA_TYPES[family])


def _inside(untrusted: bytes, limits: JailLimits) -> Family:
    """Say which format a ZIP is, by its directory and the entries that are there to say so."""
    archive = Archive(untrusted, limits)
    if "mimetype" in archive:
        family = _MIMETYPES.get(archive.read("mimetype")[:100].decode("ascii", "replace").strip())
        if family is None:
            raise UnsupportedType
        return family
    if _CONTENT_TYPES in archive:
        return _office(archive)
    return Family.EPUB if "META-INF/container.xml" in archive else Family.ZIP


def _office(archive: Archive) -> Family:
    # Without the zeros, UTF-16 reads as ASCII here.
    types = archive.read(_CONTENT_TYPES).replace(b"\0", b"")
    has_project = any(name.casefold().endswith("vbaproject.bin") for name in archive.names())
    if has_project or _MACRO_PART.search(types):
        raise MacroDocument
    for main_part, family in _MAIN_PARTS:
        if main_part.search(types):
            return family
    raise UnsupportedType
