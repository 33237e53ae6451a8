"""Rich text: escapes of Unicode and of old code pages, notes, tables, pictures and fields."""

from collections.abc import Iterator

from benchmarks.corpus.made import BEES, HARBOUR, LIGHTHOUSE, RIVER, Made

_PICTURE = r"{\pict\pngblip 89504e470d0a1a0a0000}"


def made() -> Iterator[Made]:
    """Yield the documents."""
    yield _essay()
    yield _escapes()
    yield _code_page()


def _escaped(text: str) -> str:
    """Return text with a code and a replacement for each character beyond ASCII, as Word writes it."""
    units = text.encode("utf-16-le")
    codes = (int.from_bytes(units[at : at + 2], "little") for at in range(0, len(units), 2))
    return "".join(chr(code) if code < 128 else rf"\u{code - 65536 if code > 32767 else code}?" for code in codes)


def _essay() -> Made:
    """Return a text with a note, a table, a picture, a link, hidden words, a head and properties."""
    cells = ("Month", "Peak", "March", "212")
    rows = "".join(rf"\trowd\cellx2000\cellx4000 {cells[at]}\cell {cells[at + 1]}\cell\row " for at in (0, 2))
    link = r'{\field{\*\fldinst HYPERLINK "http://example.org/secretaddress"}{\fldrslt The map of Holm}}'
    body = (
        r"{\info{\author Somebody}{\title Untold}}{\header\pard Geography, second term\par}"
        rf"\pard\b {RIVER[0]}\b0 {{\super 1}}{{\footnote\pard Holm lies twelve metres above the sea.}}\par "
        rf"{_PICTURE}{rows}\pard {RIVER[1]}\par {link}\par {{\v hiddenword}}{RIVER[2]}\par "
    )
    truth = ("Geography, second term", f"{RIVER[0]} 1", "Holm lies twelve metres above the sea.", *cells, RIVER[1])
    return Made("essay.rtf", rf"{{\rtf1\ansi {body}}}".encode("ascii"), (*truth, "The map of Holm", RIVER[2]))


def _escapes() -> Made:
    texts = (*BEES, *HARBOUR, "𝄞 and 😀 are beyond")
    body = "".join(rf"\pard {_escaped(text)}\par " for text in texts)
    return Made("escapes.rtf", rf"{{\rtf1\ansi\uc1 {body}}}".encode("ascii"), texts)


def _code_page() -> Made:
    body = "".join(
        r"\pard " + "".join(chr(byte) if byte < 128 else rf"\'{byte:02x}" for byte in text.encode("cp1251")) + r"\par "
        for text in LIGHTHOUSE
    )
    fonts = r"{\fonttbl{\f0\fcharset204 Times;}}\f0 "
    return Made("code-page.rtf", rf"{{\rtf1\ansi\ansicpg1251 {fonts}{body}}}".encode("ascii"), LIGHTHOUSE)
