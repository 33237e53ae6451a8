"""What one document may cost. Stated once, enforced twice: inside the jail and on what comes out of it."""

import msgspec

MIB = 1024 * 1024


class JailLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one jail.

    ``document_seconds`` is wall time without recognition; each page recognised from pixels adds ``ocr_page_seconds``.
    ``memory_bytes`` is address space; ``chunk_tokens`` counts what the model sees of a chunk: special tokens, prefix
    and headings included; ``output_bytes`` bounds the answer as it crosses the wall.
    """

    pages: int = 500
    pixels: int = 40_000_000
    chunks: int = 10_000
    text_bytes: int = 16 * MIB
    document_seconds: float = 60
    ocr_page_seconds: float = 30
    memory_bytes: int = 2048 * MIB
    chunk_tokens: int = 224
    ocr_dpi: int = 200
    output_bytes: int = 64 * MIB


class JailerConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, how to count tokens, how many jails at once, and what each may cost."""

    socket: str
    tokenizer_file: str
    passage_prefix: str
    jails: int
    limits: JailLimits = JailLimits()
