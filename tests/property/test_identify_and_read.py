"""Whatever the bytes and the name: a document is read, or refused with a word of ours."""

import contextlib
import io
import zipfile

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.extract.reading import Work
from ingestion.extract.registry import EXTRACTORS
from ingestion.families import Family
from ingestion.identify import identify
from ingestion.limits import JailLimits
from models.errors import MayflyError
from models.vocabulary import FILE_TYPES

WORK = Work(JailLimits())
SUFFIXES = st.sampled_from(
    ["", ".txt", ".md", ".html", ".csv", ".json", ".srt", ".vtt", ".eml", ".rtf", ".pdf", ".zip"]
)
STARTS = st.sampled_from([
    b"", b"%PDF-1.7\n", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"{\\rtf1 ", b"WEBVTT\n\n", b'{"a":', b"[[",
    b"<html>",
    b"From: a@b\nTo: b@c\nContent-Type: ", b"1\n00:00:01,000 --> ", b"a;b\n\"",
    b"\xff\xfe", b"\0\0\0\x18ftyp", b"GIF89a",
])  # fmt: skip
PIECES = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
        st.sampled_from([
            b"{", b"}", b"[", b"]", b'"', b",", b";", b"\n", b"\n\n", b"-->", b"<p>", b"<h1>", b"</h1>", b"--b\n",
            b"multipart/mixed; boundary=b\n\n",
            b"\\u-10179?", b"\\'e9", b"\\bin5 ", b"{\\*", b"{\\v ",
            b"=?utf-8?q?", b"%%EOF",
        ]),
    ),
    max_size=12,
).map(b"".join)  # fmt: skip
TEXTUAL = {
    Family.TEXT, Family.MARKDOWN, Family.HTML, Family.CSV, Family.JSON, Family.SRT, Family.VTT, Family.EML, Family.RTF,
}  # fmt: skip


@given(start=STARTS, rest=PIECES, stem=st.text(max_size=20), suffix=SUFFIXES, declared=st.none() | st.text(max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_refused_by_name(
    start: bytes, rest: bytes, stem: str, suffix: str, declared: str | None
) -> None:
    with contextlib.suppress(MayflyError):
        found = identify(start + rest, stem + suffix, declared)
        assert found.media_type in FILE_TYPES
        if found.family in TEXTUAL:
            reading = EXTRACTORS[found.family](start + rest, WORK)
            assert len(reading.pages) == 1


@given(
    members=st.lists(st.tuples(st.text(min_size=1, max_size=20), PIECES), max_size=4, unique_by=lambda each: each[0])
)
@settings(max_examples=100, deadline=None)
def test_any_archive_is_read_or_refused_by_name_and_no_name_is_a_path(members: list[tuple[str, bytes]]) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            archive.writestr("a" + name.encode("utf-8", "replace").decode(), content)

    with contextlib.suppress(MayflyError):
        for page in EXTRACTORS[Family.ZIP](buffer.getvalue(), WORK).pages:
            assert "/" not in page.above[0]
            assert "\\" not in page.above[0]
