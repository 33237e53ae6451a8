"""The leading bytes of formats: images that are read, sound and film, and what else is known and not read."""

import re

_IMAGES = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png"),
    (re.compile(rb"\xff\xd8\xff"), "jpeg"),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), "webp"),
    (re.compile(rb"II\x2a\x00|MM\x00\x2a|II\x2b\x00|MM\x00\x2b"), "tiff"),
)
_BOX = re.compile(rb"\0\0.{2}ftyp", re.DOTALL)
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_MEDIA = re.compile(
    rb"ID3[\x02-\x04]|RIFF.{4}(?:WAVE|AVI |RMID)|OggS\x00|fLaC\x00|\x1aE\xdf\xa3|\x00\x00.{2}(?:ftyp|moov|mdat|wide)|"
    rb"FORM.{4}AIF|\.snd\x00|MThd\x00|#!AMR|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11|\x00\x00\x01[\xba\xb3]|"
    rb"G.{187}G.{187}G|caff\x00|wvpk|MAC \x96",
    re.DOTALL,
)
# Frames of MPEG audio without anything before them: two letters in an old Cyrillic encoding, but for the zeros.
_FRAME = re.compile(rb"\xff[\xf0-\xf3\xf8-\xfb]")
_FRAME_ZERO_WITHIN_BYTES = 4096
_ARCHIVES = re.compile(
    rb"PK\x03\x04|PK\x05\x06|PK\x07\x08|\x1f\x8b|\x1f\x9d|BZh[1-9](?:1AY&SY|\x17rE8P)|\xfd7zXZ\0|7z\xbc\xaf\x27\x1c|"
    rb"Rar!\x1a\x07|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18|MSCF\0|!<arch>\n|LZIP\x01"
)
_TAR_AT, _TAR = 257, b"ustar"
_NOT_READ = re.compile(
    rb"GIF8[79]a|BM.{4}\0\0\0\0|\x00\x00[\x01\x02]\x00[^\x00]|8BPS|MZ.{0,62}\0|\x7fELF|\xca\xfe\xba\xbe|[\xce\xcf]\xfa\xed\xfe|"
    rb"\xfe\xed\xfa[\xce\xcf]|\0asm|dex\n|#!|%!PS|SQLite format 3\0|AT&TFORM|wOF[F2]|L\x00\x00\x00\x01\x14\x02\0",
    re.DOTALL,
)


def image_type(untrusted: bytes) -> str | None:
    """Return the subtype of the image that starts here, or ``None``."""
    for signature, subtype in _IMAGES:
        if signature.match(untrusted):
            return subtype
    brands = _brands(untrusted)
    return "heic" if brands & _HEIC_BRANDS and not brands & _AVIF_BRANDS else None


def is_media(untrusted: bytes) -> bool:
    """Say whether sound or film starts here."""
    if _FRAME.match(untrusted) and b"\0" in untrusted[:_FRAME_ZERO_WITHIN_BYTES]:
        return True
    return _MEDIA.match(untrusted) is not None and not _brands(untrusted) & _AVIF_BRANDS


def is_archive(untrusted: bytes) -> bool:
    """Say whether files packed together, or one packed file, start here."""
    return _ARCHIVES.match(untrusted) is not None or untrusted.startswith(_TAR, _TAR_AT)


def is_known_and_not_read(untrusted: bytes) -> bool:
    """Say whether something starts here that is no document, some of which would pass for text."""
    return is_archive(untrusted) or _NOT_READ.match(untrusted) is not None or _BOX.match(untrusted) is not None


def _brands(untrusted: bytes) -> set[bytes]:
    """Return the brands that an ISO media file names, its major one and those it is compatible with."""
    if not _BOX.match(untrusted):
        return set()
    end = min(int.from_bytes(untrusted[:4], "big"), 256)
    return {untrusted[at : at + 4] for at in (8, *range(16, end, 4))}
