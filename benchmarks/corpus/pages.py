"""PDFs: two columns, a table with head and foot, vertical writing, Cyrillic, a form that was filled in."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import wrap

import reportlab
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas

from benchmarks.corpus.made import BEES, HARBOUR, RIVER, TEA, Made

_FONT = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"


def made() -> Iterator[Made]:
    """Yield the PDFs."""
    pdfmetrics.registerFont(UnicodeCIDFont("HeiseiMin-W3", isVertical=True))
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    pdfmetrics.registerFont(TTFont("Vera", str(_FONT)))
    yield Made("columns.pdf", _drawn(_columns), (*RIVER, *BEES))
    yield Made("table.pdf", _drawn(_table), ("Geography, second term", RIVER[1], *sum(_ROWS, ()), RIVER[2], "Page 3"))
    yield Made("vertical.pdf", _drawn(_vertical), (*HARBOUR, *HARBOUR[::-1]))
    yield Made("chinese.pdf", _drawn(_chinese), TEA)
    yield Made("turned.pdf", _drawn(_turned), RIVER)
    yield Made("form.pdf", _drawn(_form), ("Name of the pupil", "Juri Holm", RIVER[0]))
    yield Made("long.pdf", _drawn(_long), (*RIVER, *BEES) * 60)


_ROWS = (("Month", "Snow", "Rain"), ("March", "212", "174"), ("April", "188", "231"))


def _drawn(draw: Callable[[Canvas], None]) -> bytes:
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=A4, invariant=True)
    draw(canvas)
    canvas.showPage()
    canvas.save()
    return buffer.getvalue()


def _lines(canvas: Canvas, texts: tuple[str, ...], x: float, y: float, width: int) -> None:
    lines = canvas.beginText(x, y)
    lines.setFont("Vera", 9)
    for text in texts:
        for line in wrap(text, width):
            lines.textLine(line)
    canvas.drawText(lines)


def _columns(canvas: Canvas) -> None:
    _lines(canvas, RIVER, 60, 760, 40)
    _lines(canvas, BEES, 320, 760, 40)


def _table(canvas: Canvas) -> None:
    _lines(canvas, ("Geography, second term",), 60, 810, 60)
    _lines(canvas, (RIVER[1],), 60, 760, 80)
    for number, row in enumerate(_ROWS):
        for column, cell in enumerate(row):
            canvas.drawString(60 + 120 * column, 700 - 20 * number, cell)
    _lines(canvas, (RIVER[2],), 60, 620, 80)
    _lines(canvas, ("Page 3",), 60, 40, 60)


def _vertical(canvas: Canvas) -> None:
    canvas.setFont("HeiseiMin-W3", 12)
    for number, text in enumerate(HARBOUR):
        canvas.drawString(480 - 24 * number, 760, text)
        canvas.drawString(480 - 24 * number, 380, HARBOUR[::-1][number])


def _chinese(canvas: Canvas) -> None:
    canvas.setFont("STSong-Light", 12)
    for number, text in enumerate(TEA):
        canvas.drawString(60, 760 - 20 * number, text)


def _turned(canvas: Canvas) -> None:
    canvas.rotate(90)
    _lines(canvas, RIVER, 60, -60, 90)


def _form(canvas: Canvas) -> None:
    canvas.drawString(60, 760, "Name of the pupil")
    canvas.acroForm.textfield(name="name", value="Juri Holm", x=200, y=750, width=200, height=20)
    _lines(canvas, (RIVER[0],), 60, 700, 90)


def _long(canvas: Canvas) -> None:
    for page in range(60):
        _lines(canvas, (*RIVER, *BEES), 60, 760, 80)
        if page < 59:
            canvas.showPage()
