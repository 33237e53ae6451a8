"""Which extractor reads which family. A new family is one module and one line here."""

from collections.abc import Callable

from ingestion.extract import html, image, pdf, text
from ingestion.extract.reading import Reading, Work
from ingestion.identify import Family

Extractor = Callable[[bytes, Work], Reading]

EXTRACTORS: dict[Family, Extractor] = {
    Family.PDF: pdf.read,
    Family.IMAGE: image.read,
    Family.HTML: html.read,
    Family.MARKDOWN: text.read_markdown,
    Family.TEXT: text.read_plain,
}
