"""Pictures of text: one page a picture, more for a TIFF of several."""

import io
from collections.abc import Iterator

import pillow_heif
from PIL import Image, ImageOps

from ingestion.extract import ocr
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import MayflyError, ParserFailed, TooManyPages, TooManyPixels

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "HEIF")
# A photograph's page is read well at this size; JPEG can leave out what is more while it decodes.
_ENOUGH_PIXELS_A_SIDE = 2_500

# The pixels are counted here, before decoding and exactly; Pillow's own limit only starts to act at twice its number.
Image.MAX_IMAGE_PIXELS = None
# One thread: a jail has no others. What else lies in the file is not decoded.
pillow_heif.register_heif_opener(decode_threads=1, thumbnails=False, depth_images=False, aux_images=False)


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the recognised text of every frame. Whatever else the file says (place, author, device) is not read.

    Raises ``TooManyPixels`` and ``TooManyPages`` before a pixel is decoded, ``ParserFailed`` on a damaged picture.
    """
    try:
        with Image.open(io.BytesIO(untrusted), formats=_FORMATS) as picture:
            count = _count(picture, work)
            found = dict[int, ocr.Recognised]()
            for place, recognised in ocr.recognise_all(_frames(picture, count, work), work):
                found[place] = recognised
                work.recognised(len(found), count)
                work.report(len(found), count)
    except MayflyError:
        raise
    except Exception as error:  # What a damaged picture makes a decoder raise has no end.
        raise ParserFailed from error
    pages = Pages(work.limits)
    for place in range(count):
        pages.add(found[place].text, ocr_confidence=found[place].confidence)
    return Reading(pages.all())


def _count(picture: Image.Image, work: Work) -> int:
    """Return how many pages there are; only TIFF has more than one (the frames of others are animation)."""
    _check_pixels(picture, work)
    count = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
    if count > work.limits.pages:
        raise TooManyPages
    return count


def _frames(picture: Image.Image, count: int, work: Work) -> Iterator[Image.Image]:
    for number in range(count):
        if number:
            picture.seek(number)
            _check_pixels(picture, work)
        if picture.format == "JPEG":
            picture.draft("L", (_ENOUGH_PIXELS_A_SIDE, _ENOUGH_PIXELS_A_SIDE))
        yield on_white(ImageOps.exif_transpose(picture))


def on_white(picture: Image.Image) -> Image.Image:
    """Return the picture in grey, transparent parts white."""
    if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
        coloured = picture.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        picture = Image.alpha_composite(white, coloured)
    if picture.mode in {"I;16", "I", "F"}:
        return picture.point(lambda value: value / 256).convert("L") if picture.mode == "I;16" else picture.convert("L")
    return picture.convert("L")


def _check_pixels(picture: Image.Image, work: Work) -> None:
    if picture.width * picture.height > work.limits.pixels:
        raise TooManyPixels
