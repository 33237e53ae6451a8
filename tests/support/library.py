"""Small documents in several languages, written for these tests, each with a question only one place answers."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas


def _paragraphs(language: str) -> tuple[str, ...]:
    file = Path(__file__).with_name("texts") / f"{language}.txt"
    return tuple(file.read_text(encoding="utf-8").strip().split("\n\n"))


ENGLISH = _paragraphs("english")
ENGLISH_QUESTION = "Why does the blood of the fish in the cold southern sea not turn to ice?"
ENGLISH_ANSWER = "clings to tiny ice crystals"
ENGLISH_PAGE = 9

FRENCH = _paragraphs("french")
FRENCH_QUESTION = "Quelle était la cause du retard du train de nuit ?"
FRENCH_ANSWER = "une araignée"

CHINESE = _paragraphs("chinese")
CHINESE_QUESTION = "图书馆的管理员怎样防止书受潮?"
CHINESE_ANSWER = "木炭"

JAPANESE = _paragraphs("japanese")
JAPANESE_QUESTION = "なぜ紙を漉くには冷たい水が必要なのですか。"
JAPANESE_ANSWER = "糊の粘りが長く続く"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file as a learner would send it."""

    name: str
    media_type: str
    data: bytes


def pdf(pages: tuple[str, ...] | list[str], *, name: str = "book.pdf") -> Upload:
    """Set each text on a page of its own with a real text layer (Latin script)."""
    buffer = BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=True)
    for text in pages:
        lines = canvas.beginText(60, 780)
        lines.setFont("Helvetica", 11)
        for line in _wrapped(text, 85):
            lines.textLine(line)
        canvas.drawText(lines)
        canvas.showPage()
    canvas.save()
    return Upload(name, "application/pdf", buffer.getvalue())


def long_pdf(pages: int, *, fact: str, on_page: int) -> Upload:
    """Return a book of many pages that all differ, one of which states a fact."""
    texts = [
        f"Chapter {number}. Log of the weather ship on day {number}. {ENGLISH[number % len(ENGLISH)]} "
        f"The barometer stood at {960 + number % 70} hectopascal and the watch counted {number * 7 % 90} gulls."
        for number in range(1, pages + 1)
    ]
    texts[on_page - 1] = fact
    return pdf(texts, name="long-book.pdf")


def picture(text: str, *, dots_per_inch: int = 200) -> Image.Image:
    """Draw a text as dark letters on a page of A4 width."""
    font = ImageFont.load_default(size=dots_per_inch // 6)
    page = Image.new("L", (int(8.27 * dots_per_inch), int(5.5 * dots_per_inch)), 255)
    lines = "\n".join(_wrapped(text, 62))
    ImageDraw.Draw(page).multiline_text((dots_per_inch // 2, dots_per_inch // 2), lines, fill=20, font=font, spacing=14)
    return page


def noise(size: tuple[int, int], sigma: float) -> Image.Image:
    """Return grey noise, the same each time: what is recognised in it, and beside it, shall not depend on chance."""
    drawn = np.random.default_rng(7).normal(128, sigma, size[::-1])
    return Image.fromarray(drawn.clip(0, 255).astype(np.uint8))


def scanned_pdf(pages: tuple[str, ...] | list[str]) -> Upload:
    """Return a PDF whose pages are pictures only, as a scanner makes them."""
    pictures = [picture(text) for text in pages]
    buffer = BytesIO()
    pictures[0].save(buffer, "PDF", save_all=True, append_images=pictures[1:], resolution=200)
    return Upload("scan.pdf", "application/pdf", buffer.getvalue())


def photo(text: str) -> Upload:
    """Return a JPEG as a telephone held sideways takes it: turned, with the turn written in its EXIF data."""
    shot = picture(text).filter(ImageFilter.GaussianBlur(0.6)).rotate(90, expand=True, fillcolor=255)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = BytesIO()
    shot.convert("RGB").save(buffer, "JPEG", quality=80, exif=exif)
    return Upload("photo.jpg", "image/jpeg", buffer.getvalue())


def text(paragraphs: tuple[str, ...], *, name: str, encoding: str = "utf-8") -> Upload:
    """Return paragraphs as a plain text or Markdown file in any encoding."""
    media_type = "text/markdown" if name.endswith(".md") else "text/plain"
    return Upload(name, media_type, "\n\n".join(paragraphs).encode(encoding))


def html(paragraphs: tuple[str, ...], *, title: str) -> Upload:
    """Return paragraphs as a web page with the furniture that web pages have."""
    body = "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs)
    page = (
        f"<!doctype html><html><head><meta charset=utf-8><title>{title}</title></head><body>"
        f"<nav><a href=/>Home</a></nav>"
        f"<article><h1>{title}</h1>{body}</article><footer>Imprint</footer></body></html>"
    )
    return Upload("page.html", "text/html", page.encode())


def _wrapped(text: str, width: int) -> list[str]:
    lines: list[str] = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) >= width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
