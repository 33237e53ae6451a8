"""Pictures of text: one page a picture, more for a TIFF of several."""

import io
from collections.abc import Iterator

from PIL import Image, ImageOps, UnidentifiedImageError

from ingestion.extract import ocr
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import MayflyError, ParserFailed, TooManyPages, TooManyPixels

_FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")

# The pixels are counted here, before decoding and exactly; Pillow's own limit only starts to act at twice its number.
Image.MAX_IMAGE_PIXELS = None


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the recognised text of every frame.

    Raises ``TooManyPixels`` and ``TooManyPages`` before a pixel is decoded, ``ParserFailed`` on a damaged picture.
    """
    pages = Pages(work.limits)
    try:
        with Image.open(io.BytesIO(untrusted), formats=_FORMATS) as picture:
            count = _count(picture, work)
            for done, frame in enumerate(_frames(picture, count, work), start=1):
                recognised = ocr.recognise(frame, work)
                pages.add(recognised.text, ocr_confidence=recognised.confidence)
                work.report(done / count)
    except MayflyError:
        raise
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError, MemoryError) as error:
        raise ParserFailed from error
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
