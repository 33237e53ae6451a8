import io
from collections.abc import Callable

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas

from ingestion.extract import pdf
from tests.support.jails import manifest
from tests.support.office import WORK, texts

SIZE = 12
UPPER = ("川のほとりに小さな家がある。", "窓から水車が見える。", "春には桜が咲き、秋には鮭が上る。")
LOWER = ("祖父は紙を漉いていた。", "冷たい水ほど糊は強い。", "冬の朝は手が赤くなる。")


def drawn(draw: Callable[[Canvas], None]) -> str:
    """Return what is read of a page."""
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return texts(pdf.read(buffer.getvalue(), WORK))[0]


def with_vertical_font(canvas: Canvas, column: str, x: float, y: float) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3", isVertical=True))
    canvas.setFont("HeiseiMin-W3", SIZE)
    canvas.drawString(x, y, column)


def glyph_by_glyph(canvas: Canvas, column: str, x: float, y: float) -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiKakuGo-W5"))
    canvas.setFont("HeiseiKakuGo-W5", SIZE)
    for number, character in enumerate(column):
        canvas.drawString(x, y - SIZE * number, character)


def horizontally(canvas: Canvas, text: str, x: float, y: float, font: str = "HeiseiKakuGo-W5") -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiKakuGo-W5"))
    canvas.setFont(font, SIZE)
    canvas.drawString(x, y, text)


Columns = Callable[[Canvas, str, float, float], None]


@pytest.mark.parametrize("column", [with_vertical_font, glyph_by_glyph])
def test_columns_are_read_from_the_right_and_the_upper_half_before_the_lower(column: Columns) -> None:
    def draw(canvas: Canvas) -> None:
        for number, (upper, lower) in reversed(list(enumerate(zip(UPPER, LOWER, strict=True)))):
            column(canvas, lower, 500 - 2 * SIZE * number, 300)
            column(canvas, upper, 500 - 2 * SIZE * number, 700)

    assert drawn(draw).split("\n") == [*UPPER, *LOWER]


def test_a_columns_number_and_a_pages_head_and_foot_keep_their_place() -> None:
    def draw(canvas: Canvas) -> None:
        horizontally(canvas, "12", 300, 60, "Helvetica")
        for number, text in enumerate((*UPPER, *LOWER)):
            glyph_by_glyph(canvas, text, 500 - 2 * SIZE * number, 700)
        glyph_by_glyph(canvas, "昭和", 330, 700)
        horizontally(canvas, "25", 330, 700 - 2 * SIZE, "Helvetica")
        glyph_by_glyph(canvas, "年春", 330, 700 - 3 * SIZE)
        horizontally(canvas, "River Stories", 250, 780, "Helvetica")

    lines = drawn(draw).split("\n")

    assert lines[0] == "River Stories"
    assert lines[1:-1] == [*UPPER, *LOWER, "昭和25年春"]
    assert lines[-1] == "12"


@pytest.mark.parametrize("turned", [0, 90])
def test_lines_across_the_page_are_left_as_they_are_however_the_page_is_turned(turned: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.translate(300, 400)
        canvas.rotate(turned)
        for number, text in enumerate((*UPPER, *LOWER)):
            horizontally(canvas, text, -150, 60 - 2 * SIZE * number)

    assert drawn(draw).split("\n") == [*UPPER, *LOWER]


def test_a_poem_that_nobody_here_set_is_read_from_its_title_to_its_date() -> None:
    (sample,) = (each for each in manifest("pdf") if each.file.endswith("jo.pdf"))

    (text,) = texts(pdf.read(sample.untrusted, WORK))

    assert text.strip().startswith("序\nわたくしといふ現象は\n")
    assert text.endswith("宮澤賢治")
    # The last column of the upper half, then the first of the lower one.
    assert text.index("みんなのおのおの") < text.index("けれどもこれら")
