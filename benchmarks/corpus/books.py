"""Electronic books: a novel with notes and a table of contents, and one with readings above its characters."""

from collections.abc import Iterator

from benchmarks.corpus.made import BEES, HARBOUR, LIGHTHOUSE, RIVER, Made
from tests.support import office

_SPACES = 'xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"'


def made() -> Iterator[Made]:
    """Yield the books."""
    yield _novel()
    yield _readings()


def _chapter(body: str) -> str:
    return f"<html {_SPACES}><head><title>untitledfile</title></head><body>{body}</body></html>"


def _novel() -> Made:
    """Return three chapters, the last of notes that the others refer to; the contents repeat the headings."""
    note = '<a epub:type="noteref" href="notes.xhtml#n1">1</a>'
    first = _chapter(f"<h1>High water</h1><p>{RIVER[0]}{note}</p><p>{RIVER[1]}</p>")
    second = _chapter(f"<h1>Маяк</h1>{''.join(f'<p>{text}</p>' for text in LIGHTHOUSE)}<hr/><p>{BEES[0]}</p>")
    notes = _chapter('<h2>Notes</h2><aside epub:type="footnote" id="n1"><p>The monks came from Brede.</p></aside>')
    contents = _chapter('<nav epub:type="toc"><ol><li>High water</li><li>Маяк</li></ol></nav>')
    data = office.book(
        {"one.xhtml": first, "two.xhtml": second, "notes.xhtml": notes},
        manifest='<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
        spine='<itemref idref="nav"/><itemref idref="c0"/><itemref idref="c1"/><itemref idref="c2"/>',
        others={"OPS/nav.xhtml": contents},
    )
    truth = (
        "High water",
        f"{RIVER[0]} 1",
        RIVER[1],
        "Маяк",
        *LIGHTHOUSE,
        BEES[0],
        "Notes",
        "The monks came from Brede.",
    )
    return Made("novel.epub", data, truth)


def _readings() -> Made:
    ruby = "<ruby>港<rp>(</rp><rt>みなと</rt><rp>)</rp></ruby>の朝は早い。"
    body = f"<h1>漁師の町</h1><p>{ruby}</p>" + "".join(f"<p>{text}</p>" for text in HARBOUR[1:])
    return Made("readings.epub", office.book({"one.xhtml": _chapter(body)}), ("漁師の町", *HARBOUR))
