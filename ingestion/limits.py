"""What one document may cost. Stated once, enforced twice: inside the jail and on what comes out of it."""

import msgspec

from ingestion.level import Grade

MIB = 1024 * 1024
CHARACTERS_PER_TOKEN = 64


class JailLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one jail.

    ``document_seconds`` is wall time without recognition; each page recognised from pixels adds what it takes, at most
    ``ocr_page_seconds``, and all of a document's pages together add at most ``ocr_seconds``.
    ``archive_entries``, ``archive_bytes`` (unpacked, in all) and ``archive_ratio`` (unpacked to packed, of one entry)
    bound every format that is a ZIP inside; ``cells`` are those with something in them; ``depth`` is the nesting of
    elements; ``tags`` are those of a web page. ``ocr_workers`` pages are recognised at once, one thread each.
    ``memory_bytes`` is address space; ``chunk_tokens`` counts what the model sees of a chunk: special tokens, prefix
    and headings included; ``output_bytes`` bounds the answer as it crosses the wall.
    """

    pages: int = 500
    pixels: int = 40_000_000
    chunks: int = 10_000
    text_bytes: int = 16 * MIB
    document_seconds: float = 60
    ocr_page_seconds: float = 30
    ocr_seconds: float = 900
    memory_bytes: int = 2048 * MIB
    chunk_tokens: int = 224
    ocr_dpi: int = 250
    output_bytes: int = 64 * MIB
    archive_entries: int = 2_000
    archive_bytes: int = 200 * MIB
    archive_ratio: int = 200
    cells: int = 200_000
    depth: int = 200
    tags: int = 50_000
    ocr_workers: int = 1

    @property
    def chunk_characters(self) -> int:
        """Return how long a chunk may be: a tokenizer takes any run of characters it does not know for one token."""
        return self.chunk_tokens * CHARACTERS_PER_TOKEN


class JailerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, how to count tokens, how many jails at once, and what each may cost.

    ``least`` is the level that its walls must reach.
    """

    socket: str
    tokenizer_file: str
    passage_prefix: str
    jails: int
    limits: JailLimits = JailLimits()
    least: Grade = "reduced"
