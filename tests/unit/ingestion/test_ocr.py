import io
from dataclasses import replace

import pytest
from PIL import Image

from ingestion.extract import image, ocr
from ingestion.extract.reading import Work
from ingestion.limits import JailLimits
from models.errors import ParserFailed, TooManyPages, TooManyPixels
from tests.support.jails import DOCUMENTS

INSTALLED = frozenset({"eng", "deu", "fra", "spa", "rus", "ukr", "chi_sim", "chi_tra", "jpn", "ara", "hin", "osd"})
LIMITS = JailLimits()


@pytest.mark.parametrize(
    ("script", "languages", "packs"),
    [
        (None, (), ("eng", "deu", "fra", "spa")),
        (None, ("fr", "en"), ("fra", "eng")),
        (None, ("ja",), ("jpn", "eng")),
        (None, ("xx",), ("eng", "deu", "fra", "spa")),
        ("Latin", ("ja", "de"), ("deu", "eng")),
        ("Cyrillic", (), ("rus", "eng")),
        ("Cyrillic", ("uk",), ("ukr", "eng")),
        ("Cyrillic", ("bg",), ("rus", "eng")),
        ("Han", (), ("chi_sim", "chi_tra", "eng")),
        ("Han", ("ja",), ("jpn", "eng")),
        ("Japanese", ("en",), ("jpn", "eng")),
        ("Devanagari", (), ("hin", "eng")),
        ("Runic", (), ("eng", "deu", "fra", "spa")),
    ],
)
def test_the_languages_follow_the_script_and_the_learner(
    script: str | None, languages: tuple[str, ...], packs: tuple[str, ...]
) -> None:
    assert ocr.packs_for(script, languages, INSTALLED) == packs


def test_without_any_pack_recognition_fails_by_name() -> None:
    with pytest.raises(ParserFailed):
        ocr.packs_for(None, ("en",), frozenset())


def picture(size: tuple[int, int] = (40, 30), kind: str = "PNG", frames: int = 1) -> bytes:
    buffer = io.BytesIO()
    first, *others = [Image.new("L", size, 255) for _ in range(frames)]
    first.save(buffer, kind, **({"save_all": True, "append_images": others} if others else {}))
    return buffer.getvalue()


def test_one_pixel_too_many_is_refused_before_decoding_and_one_less_is_read() -> None:
    limits = JailLimits(pixels=40 * 30)

    assert len(image.read(picture((40, 30)), Work(limits)).pages) == 1
    with pytest.raises(TooManyPixels):
        image.read(picture((40, 31)), Work(limits))


def test_a_tiff_has_as_many_pages_as_frames_and_no_more_than_allowed() -> None:
    tiff = picture(kind="TIFF", frames=3)

    assert [page.number for page in image.read(tiff, Work(JailLimits(pages=3))).pages] == [1, 2, 3]
    with pytest.raises(TooManyPages):
        image.read(tiff, Work(JailLimits(pages=2)))


def test_each_page_that_is_recognised_is_announced_and_reported() -> None:
    announced, reported = list[int](), list[float]()
    work = replace(Work(LIMITS), recognising=lambda: announced.append(1), report=reported.append)

    image.read(picture(kind="TIFF", frames=2), work)

    assert len(announced) == 2
    assert reported == [0.5, 1.0]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "YCbCr", "F"])
def test_every_kind_of_pixel_becomes_grey(mode: str) -> None:
    assert image.on_white(Image.new(mode, (4, 4))).mode == "L"


def test_what_is_transparent_is_white() -> None:
    assert image.on_white(Image.new("RGBA", (1, 1), (0, 0, 0, 0))).getpixel((0, 0)) == 255


def test_uneven_light_is_evened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    page = Image.open(DOCUMENTS / "image/phototest.tif").convert("L")
    shade = Image.linear_gradient("L").rotate(90).resize(page.size).point(lambda value: 40 + value * 0.55)
    dim = Image.composite(shade.point(lambda value: value * 0.5), shade, page.point(lambda value: 255 - value))

    recognised = ocr.recognise(dim, Work(LIMITS, ("en",)))

    assert "quick brown dog jumped over" in recognised.text


def test_a_photograph_on_its_side_by_its_own_word_is_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")
    page = Image.open(DOCUMENTS / "image/phototest.tif").convert("L").rotate(90, expand=True)
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    page.save(buffer, "JPEG", exif=exif, quality=90)

    reading = image.read(buffer.getvalue(), Work(LIMITS, ("en",)))

    assert "quick brown dog jumped over" in reading.pages[0].text
    assert (reading.pages[0].ocr_confidence or 0) > 80
