"""OpenDocument files: a text with notes, a box and a table; slides with notes; sheets with formats."""

from collections.abc import Iterator

from benchmarks.corpus.made import BEES, LIGHTHOUSE, RIVER, Made
from tests.support import office


def made() -> Iterator[Made]:
    """Yield the documents."""
    yield _text()
    yield _slides()
    yield _sheets()


def _p(text: str) -> str:
    return f"<text:p>{text}</text:p>"


def _text() -> Made:
    note = (
        '<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body>'
        f"{_p('Holm lies twelve metres above the sea.')}</text:note-body></text:note>"
    )
    box = f"<draw:frame><draw:text-box>{_p('Task: find both causes.')}</draw:text-box></draw:frame>"
    comment = f"<office:annotation>{_p('Too hard?')}</office:annotation>"
    struck = f"<text:changed-region><text:deletion>{_p('Struck out.')}</text:deletion></text:changed-region>"
    deleted = f"<text:tracked-changes>{struck}</text:tracked-changes>"
    cells = ("Month", "Peak", "March", "212")
    rows = "".join(
        "<table:table-row>"
        + "".join(f"<table:table-cell>{_p(cell)}</table:table-cell>" for cell in cells[at : at + 2])
        + "</table:table-row>"
        for at in (0, 2)
    )
    inner = f"<text:list><text:list-item>{_p('wet clay')}</text:list-item></text:list>"
    bullets = f"<text:list><text:list-item>{_p('clay')}{inner}</text:list-item></text:list>"
    body = (
        f'{deleted}<text:h text:outline-level="1">Reading the gauges</text:h>{_p(RIVER[0] + note)}{_p(box + RIVER[1])}'
        f"{bullets}<table:table>{rows}</table:table>{_p(comment + BEES[0])}"
    )
    margins = f"<style:master-page><style:header>{_p('Geography, second term')}</style:header></style:master-page>"
    truth = (
        "Reading the gauges",
        RIVER[0],
        "Holm lies twelve metres above the sea.",
        RIVER[1],
        "Task: find both causes.",
    )
    rest = ("clay", "wet clay", *cells, BEES[0], "Geography, second term")
    return Made("worksheet.odt", office.open_document("text", body, masters=margins), (*truth, *rest), ("1",))


def _slides() -> Made:
    def slide(title: str, texts: tuple[str, ...], notes: str = "") -> str:
        shown = f'<draw:frame presentation:class="title"><draw:text-box>{_p(title)}</draw:text-box></draw:frame>'
        body = f"<draw:g><draw:frame><draw:text-box>{''.join(map(_p, texts))}</draw:text-box></draw:frame></draw:g>"
        told = f'<draw:frame presentation:class="notes"><draw:text-box>{_p(notes)}</draw:text-box></draw:frame>'
        return f"<draw:page>{shown}{body}<presentation:notes>{told if notes else ''}</presentation:notes></draw:page>"

    body = slide("Why rivers flood twice", RIVER[1:3], "Ask who saw an eel.") + slide("Маяк", LIGHTHOUSE)
    truth = ("Why rivers flood twice", *RIVER[1:3], "Ask who saw an eel.", "Маяк", *LIGHTHOUSE)
    return Made("lesson.odp", office.open_document("presentation", body), truth)


def _sheets() -> Made:
    def cell(text: str, attributes: str = 'office:value-type="string"') -> str:
        return f"<table:table-cell {attributes}>{_p(text)}</table:table-cell>"

    date = cell("17.04.12", 'office:value-type="date" office:date-value="2012-04-17"')
    share = cell("87,5 %", 'office:value-type="percentage" office:value="0.875"')
    head = "<table:table-row>" + "".join(map(cell, ("Pupil", "Born", "Share"))) + "</table:table-row>"
    body = (
        f'<table:table table:name="Marks">{head}<table:table-row>{cell("Ada")}{date}{share}</table:table-row>'
        "</table:table>"
        f'<table:table table:name="Notes"><table:table-row>{cell(RIVER[0])}</table:table-row></table:table>'
    )
    truth = ("Pupil", "Born", "Share", "Ada", "2012-04-17", "87.5%", RIVER[0])
    return Made("marks.ods", office.open_document("spreadsheet", body), truth, ("Marks", "Notes"))
