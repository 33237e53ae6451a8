import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.multipart import FileBytes, FileEnd, FileStart, FormReader, boundary_of
from api.problems import FieldsInvalid, MalformedBody, UnsupportedContentType

BOUNDARY = b"frontier"


def part(data: bytes, disposition: bytes = b'form-data; name="file"; filename="a.txt"', extra: bytes = b"") -> bytes:
    return b"--frontier\r\nContent-Disposition: " + disposition + b"\r\n" + extra + b"\r\n" + data + b"\r\n"


END = b"--frontier--\r\n"


def read(form: bytes, step: int = 1 << 20) -> tuple[FormReader, list[FileStart], list[bytes]]:
    reader, starts, files = FormReader(BOUNDARY), list[FileStart](), list[bytes]()
    for place in range(0, len(form), step):
        for event in reader.feed(form[place : place + step]):
            match event:
                case FileStart():
                    starts.append(event)
                    files.append(b"")
                case FileBytes():
                    files[-1] += event.untrusted
                case FileEnd():
                    pass
    return reader, starts, files


@given(contents=st.lists(st.binary(max_size=300), min_size=1, max_size=4), step=st.integers(1, 64))
def test_files_come_out_as_they_went_in_however_the_bytes_are_cut(contents: list[bytes], step: int) -> None:
    form = b"".join(part(data) for data in contents) + END

    reader, starts, files = read(form, step)
    reader.finish()

    assert files == contents
    assert len(starts) == reader.files == len(contents)


def test_names_and_types_are_what_the_client_claims() -> None:
    named = part(b"x", 'form-data; name="file"; filename="日本 \\"q\\".txt"'.encode(), b"Content-Type: text/plain\r\n")

    _, starts, _ = read(named + END)

    assert starts == [FileStart('日本 "q".txt', "text/plain")]
    assert "日本" not in repr(starts[0])


def test_a_very_long_name_is_cut() -> None:
    _, starts, _ = read(part(b"x", b'form-data; name="file"; filename="' + b"n" * 1000 + b'"') + END)

    assert len(starts[0].untrusted_filename) == 255


@pytest.mark.parametrize(
    "form",
    [
        part(b"x"),
        part(b"x") + b"--frontier",
        b"",
        b"garbage",
        b"--other\r\n\r\n",
        part(b"x", b'attachment; name="file"; filename="a"') + END,
        b"--frontier\r\nno colon here\r\n\r\nx\r\n" + END,
        part(b"x", extra=b"".join(b"X-%d: y\r\n" % number for number in range(20))) + END,
        part(b"x", extra=b"X: " + b"y" * 10_000 + b"\r\n") + END,
    ],
)
def test_a_form_that_is_cut_short_or_broken_is_malformed(form: bytes) -> None:
    def read_to_the_end() -> None:
        read(form)[0].finish()

    with pytest.raises(MalformedBody):
        read_to_the_end()


@pytest.mark.parametrize(
    ("disposition", "fields"),
    [
        (b'form-data; name="secret"; filename="a.txt"', (("", "extra_forbidden"),)),
        (b'form-data; filename="a.txt"', (("", "extra_forbidden"),)),
        (b'form-data; name="file"', (("/file", "filename_missing"),)),
        (b'form-data; name="file"; filename=""', (("/file", "filename_missing"),)),
    ],
)
def test_only_named_files_are_taken(disposition: bytes, fields: tuple[tuple[str, str], ...]) -> None:
    with pytest.raises(FieldsInvalid) as refusal:
        read(part(b"x", disposition) + END)

    assert refusal.value.fields == fields


def test_a_form_without_a_file_says_so() -> None:
    reader, _, _ = read(b"--frontier--\r\n")

    with pytest.raises(FieldsInvalid) as refusal:
        reader.finish()

    assert refusal.value.fields == (("/file", "missing"),)


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json", "multipart/mixed; boundary=x"])
def test_another_content_type_is_refused(content_type: str | None) -> None:
    with pytest.raises(UnsupportedContentType):
        boundary_of(content_type)


@pytest.mark.parametrize("boundary", ["", "; boundary=", "; boundary=" + "b" * 71])
def test_a_missing_or_oversized_boundary_is_malformed(boundary: str) -> None:
    with pytest.raises(MalformedBody):
        boundary_of("multipart/form-data" + boundary)


def test_a_boundary_is_found() -> None:
    assert boundary_of('multipart/form-data; boundary="a b"') == b"a b"
