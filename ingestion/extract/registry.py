"""Which extractor reads which family. A new family is one module and one line here."""

from collections.abc import Callable

from ingestion.extract import (
    archive,
    epub,
    html,
    image,
    mail,
    opendocument,
    pdf,
    rtf,
    sheets,
    slides,
    structured,
    subtitles,
    tables,
    text,
    word,
)
from ingestion.extract.reading import Reading, Work
from ingestion.families import Family

Extractor = Callable[[bytes, Work], Reading]

_DOCUMENTS: dict[Family, Extractor] = {
    Family.PDF: pdf.read,
    Family.IMAGE: image.read,
    Family.DOCX: word.read,
    Family.PPTX: slides.read,
    Family.XLSX: sheets.read,
    Family.ODT: opendocument.read_text,
    Family.ODP: opendocument.read_slides,
    Family.ODS: opendocument.read_sheet,
    Family.EPUB: epub.read,
    Family.RTF: rtf.read,
    Family.HTML: html.read,
    Family.MARKDOWN: text.read_markdown,
    Family.TEXT: text.read_plain,
    Family.CSV: tables.read,
    Family.JSON: structured.read,
    Family.SRT: subtitles.read,
    Family.VTT: subtitles.read,
    Family.EML: mail.read,
}

EXTRACTORS: dict[Family, Extractor] = {**_DOCUMENTS, Family.ZIP: archive.reader_of(_DOCUMENTS)}
