import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
import reportlab
from PIL import Image, ImageChops, ImageDraw, ImageFont

from ingestion.extract import image, ocr
from ingestion.extract.packs import fits, packs_for, packs_of, readable_languages
from ingestion.extract.reading import Work
from ingestion.extract.tesseract import installed_packs
from ingestion.limits import JailLimits
from models.errors import ParserFailed, TimedOut, TooManyPages, TooManyPixels
from tests.support.jails import DOCUMENTS
from tests.support.library import noise

INSTALLED = frozenset({
    "eng", "deu", "fra", "spa", "rus", "ukr", "chi_sim", "chi_tra", "jpn", "jpn_vert", "ara", "hin", "osd",
})  # fmt: skip
LIMITS = JailLimits()
FONT = str(Path(reportlab.__file__).parent / "fonts" / "Vera.ttf")


@pytest.fixture(autouse=True)
def _one_thread_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_THREAD_LIMIT", "1")


@pytest.mark.parametrize(
    ("script", "languages", "packs"),
    [
        (None, (), ("eng", "deu", "fra", "spa")),
        (None, ("fr", "en"), ("fra", "eng")),
        (None, ("ja",), ("jpn", "jpn_vert", "eng")),
        (None, ("xx",), ("eng", "deu", "fra", "spa")),
        ("Latin", ("ja", "de"), ("deu", "eng")),
        ("Cyrillic", (), ("rus", "eng")),
        ("Cyrillic", ("uk",), ("ukr", "eng")),
        ("Cyrillic", ("bg",), ("rus", "eng")),
        ("Han", (), ("chi_sim", "chi_tra", "eng")),
        ("Han", ("ja",), ("jpn", "jpn_vert", "eng")),
        ("Japanese", ("en",), ("jpn", "jpn_vert", "eng")),
        ("Devanagari", (), ("hin", "eng")),
        ("Runic", (), ("eng", "deu", "fra", "spa")),
    ],
)
def test_the_languages_follow_the_script_and_the_learner(
    script: str | None, languages: tuple[str, ...], packs: tuple[str, ...]
) -> None:
    assert packs_for(script, languages, INSTALLED) == packs


def test_without_any_pack_recognition_fails_by_name() -> None:
    with pytest.raises(ParserFailed):
        packs_for(None, ("en",), frozenset())


def test_a_language_has_packs_only_where_its_own_is_installed() -> None:
    assert packs_of("ru", INSTALLED) == ("rus", "eng")
    assert packs_of("pl", INSTALLED) == ()
    assert fits("zh", ("chi_sim", "eng"))
    assert not fits("xx", ("eng",))


def test_at_least_twenty_languages_are_read_from_pixels_here() -> None:
    languages = readable_languages()

    assert len(languages) >= 20
    assert {"en", "de", "ru", "ar", "hi", "ja", "ko", "zh"} <= set(languages)


def picture(size: tuple[int, int] = (40, 30), kind: str = "PNG", frames: int = 1) -> bytes:
    buffer = io.BytesIO()
    first, *others = [Image.new("L", size, 255) for _ in range(frames)]
    options: dict[str, Any] = {"save_all": True, "append_images": others} if others else {}
    first.save(buffer, kind, **options)
    return buffer.getvalue()


def test_one_pixel_too_many_is_refused_before_decoding_and_one_less_is_read() -> None:
    limits = JailLimits(pixels=40 * 30)

    assert len(image.read(picture((40, 30)), Work(limits)).pages) == 1
    with pytest.raises(TooManyPixels):
        image.read(picture((40, 31)), Work(limits))


def test_a_tiff_has_as_many_pages_as_frames_and_no_more_than_allowed() -> None:
    tiff = picture(kind="TIFF", frames=3)

    assert len(image.read(tiff, Work(JailLimits(pages=3))).pages) == 3
    with pytest.raises(TooManyPages):
        image.read(tiff, Work(JailLimits(pages=2)))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "HEIF"])
def test_a_picture_that_was_cut_off_is_called_damaged(kind: str) -> None:
    pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    noise((300, 300), 90).save(buffer, kind)

    with pytest.raises(ParserFailed):
        image.read(buffer.getvalue()[: len(buffer.getvalue()) // 2], Work(LIMITS))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "I;16", "YCbCr", "F"])
def test_every_kind_of_pixel_becomes_grey(mode: str) -> None:
    assert image.on_white(Image.new(mode, (4, 4))).mode == "L"


def test_what_is_transparent_is_white() -> None:
    assert image.on_white(Image.new("RGBA", (1, 1), (0, 0, 0, 0))).getpixel((0, 0)) == 255


def lines_of(*lines: str, size: int = 40) -> Image.Image:
    """Draw some lines of large print."""
    page = Image.new("L", (1_700, 120 + 2 * size * len(lines)), 255)
    draw, font = ImageDraw.Draw(page), ImageFont.truetype(FONT, size)
    for number, line in enumerate(lines):
        draw.text((60, 60 + 2 * size * number), line, fill=0, font=font)
    return page


def text_of(untrusted: bytes, *languages: str) -> tuple[str, float]:
    (page,) = image.read(untrusted, Work(LIMITS, languages)).pages
    return page.blocks[0].text, page.ocr_confidence or 0.0


def test_pages_that_are_recognised_at_once_keep_their_order() -> None:
    announced, recognised, done = list[int](), list[tuple[int, int]](), list[tuple[int, int]]()
    work = Work(
        JailLimits(ocr_workers=3),
        ("en",),
        report=lambda *counts: done.append(counts),
        recognised=lambda *counts: recognised.append(counts),
        recognising=lambda: announced.append(1),
    )
    names = ["ALPHA", "BRAVO", "CHARLIE", "DELTA"]
    # The first page takes longest.
    pages = [lines_of(*[f"{name} is the name of this page"] * (9 if name == "ALPHA" else 1)) for name in names]
    buffer = io.BytesIO()
    pages[0].save(buffer, "TIFF", save_all=True, append_images=pages[1:])

    reading = image.read(buffer.getvalue(), work)

    assert [page.blocks[0].text.split()[0] for page in reading.pages] == names
    assert len(announced) == 4
    assert recognised == done == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_only_one_picture_more_than_is_worked_on_is_drawn() -> None:
    drawn, most = 0, 0

    def pages() -> Iterator[Image.Image]:
        nonlocal drawn
        for number in range(6):
            drawn += 1
            yield lines_of(f"This is page number {number} of six")

    for done, _ in enumerate(ocr.recognise_all(pages(), Work(JailLimits(ocr_workers=2), ("en",)))):
        most = max(most, drawn - done)

    assert drawn == 6
    assert most <= 4  # Two at work, one at hand, and the one whose result was just given.


def test_a_page_that_takes_all_its_time_ends_the_work_and_leaves_no_process() -> None:
    limits = JailLimits(ocr_page_seconds=0.01)

    with pytest.raises(TimedOut):
        ocr.recognise(lines_of("too late"), Work(limits, ("en",)))


def test_a_blank_page_is_not_given_to_the_program() -> None:
    announced = list[int]()

    found = ocr.recognise(Image.new("L", (1_700, 2_200), 250), replace(Work(LIMITS), recognising=announced.clear))

    assert found == ocr.Recognised("", 0.0)


def photographed(page: Image.Image) -> Image.Image:
    """Light a page from one side, with noise, as a telephone's camera sees it."""
    shade = Image.linear_gradient("L").rotate(90).resize(page.size).point(lambda value: 60 + value * 0.55)
    dim = Image.composite(shade.point(lambda value: value * 0.5), shade, page.point(lambda value: 255 - value))
    return ImageChops.add(dim, noise(page.size, 10), offset=-128)


def test_uneven_light_is_evened() -> None:
    page = Image.open(DOCUMENTS / "image/phototest.tif").convert("L")

    recognised = ocr.recognise(photographed(page), Work(LIMITS, ("en",)))

    assert "quick brown dog jumped over" in recognised.text


@pytest.mark.parametrize("kind", ["JPEG", "HEIF"])
def test_a_photograph_on_its_side_in_bad_light_is_read_and_what_it_says_of_its_place_is_not(kind: str) -> None:
    pillow_heif.register_heif_opener()
    page = photographed(Image.open(DOCUMENTS / "image/phototest.tif").convert("L")).rotate(90, expand=True)
    buffer, exif = io.BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x013B] = 6, "secret description", "secret author"
    exif.get_ifd(0x8825)[1] = "N"
    page.save(buffer, kind, exif=exif, quality=85)
    assert b"secret author" in buffer.getvalue()

    text, confidence = text_of(buffer.getvalue(), "en")

    assert "quick brown dog jumped over" in text
    assert confidence > 80
    assert "secret" not in text


@pytest.mark.parametrize("turn", ["180", "L", "R"])
def test_a_scan_that_lies_wrong_is_turned(turn: str) -> None:
    text, confidence = text_of((DOCUMENTS / f"image/phototest-rotated-{turn}.png").read_bytes(), "en")

    assert "The quick brown dog jumped over the" in " ".join(text.split())
    assert confidence > 80


def test_a_picture_without_text_gives_an_empty_page_and_no_error() -> None:
    assert text_of((DOCUMENTS / "image/hopper_orientation_3.jpg").read_bytes())[0] == ""


def test_a_script_nobody_announced_is_found() -> None:
    text, _ = text_of((DOCUMENTS / "image/devatest.png").read_bytes())

    assert "सभी मनुष्यों को गौरव" in " ".join(text.split())


def test_a_language_nobody_announced_is_found_out_and_the_page_read_again() -> None:
    page = lines_of(
        "Tutti gli esseri umani nascono liberi ed eguali in dignità",
        "e diritti. Essi sono dotati di ragione e di coscienza e",
        "devono agire gli uni verso gli altri in spirito di fratellanza.",
        "Perché la libertà è così? Più virtù, già più felicità.",
    )
    used = list[tuple[str, ...]]()
    document = ocr._Document(())
    steps = ocr._Page(page, document).steps()
    crew = ocr.Crew[ocr.Recognised](workers=1, seconds=30, begins=lambda: used.append(document.packs()))

    ((_, recognised),) = crew.work_through([steps])

    assert "ita" in installed_packs()
    assert used == [("eng", "deu", "fra", "spa")]
    assert document.packs() == ("ita", "eng")
    assert "in dignità" in recognised.text


def test_without_the_program_recognition_fails_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(ParserFailed):
        ocr.recognise(lines_of("nobody reads this"), Work(LIMITS, ("en",)))
