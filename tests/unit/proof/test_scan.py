"""The search that other tests trust when it finds nothing: it does find what is there."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest

from proof import scan
from proof.needles import Needle, new_marker, of_key, of_text, of_vector
from proof.scan import Scanner
from tests.support import residue

FORMS = len(of_text("marker", new_marker()))
KEEP = "import sys; kept = sys.stdin.buffer.readline(); print('kept', flush=True); sys.stdin.read()"


@contextmanager
def holding(line: bytes) -> Generator[psutil.Process]:
    """Run a process that has a line in its memory."""
    with subprocess.Popen([sys.executable, "-c", KEEP], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(line + b"\n")
        child.stdin.flush()
        assert child.stdout.readline() == b"kept\n"
        yield psutil.Process(child.pid)


@pytest.mark.parametrize("form", range(FORMS))
def test_every_form_of_a_marker_is_found_in_a_file(tmp_path: Path, form: int) -> None:
    marker = new_marker()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"before" + residue.forms(marker)[form] + b"after")

    assert residue.in_files([tmp_path], marker) == [str(tmp_path / "deep" / "file")]


def test_a_marker_in_a_file_name_is_found(tmp_path: Path) -> None:
    marker = new_marker()
    (tmp_path / f"{marker}.pdf").touch()

    assert len(residue.in_files([tmp_path], marker)) == 1


@pytest.mark.parametrize("cut", [slice(0, 12), slice(12, 24)])
def test_half_a_marker_is_enough(cut: slice) -> None:
    marker = new_marker()

    assert residue.in_bytes(marker[cut].encode(), marker) == 1
    assert residue.in_bytes(marker[6:17].encode(), marker) == 0


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_window_of_a_vector_is_found_in_every_width(dtype: str) -> None:
    vector = np.random.default_rng(1).standard_normal(384).astype(np.float32)
    scanner = Scanner(of_vector("vector", vector))
    stored = vector.astype(dtype).tobytes()

    assert scanner.in_bytes(b"head" + stored[64:96] + b"tail") == {("vector", dtype): 1}
    assert scanner.in_bytes(f"[{float(vector[3])!r}]".encode()) == {("vector", "decimal"): 1}
    assert scanner.in_bytes((vector + 1).astype(dtype).tobytes()) == {}


def test_a_key_is_found_by_its_half_and_in_text() -> None:
    key = bytes(range(100, 132))
    scanner = Scanner(of_key("key", key))

    assert scanner.in_bytes(key[16:]) == {("key", "bytes"): 1}
    assert scanner.in_bytes(key.hex().encode()) == {("key", "hex"): 1}


def test_what_lies_across_two_windows_is_found_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_WINDOW_BYTES", 64)
    file = tmp_path / "file"
    for offset in range(40, 70):
        file.write_bytes(b"." * offset + b"needle-of-16-let" + b"." * 200)

        assert Scanner([Needle("kind", "form", b"needle-of-16-let")]).in_file(file) == {("kind", "form"): 1}


def test_files_that_were_not_changed_are_passed_over_only_when_asked(tmp_path: Path) -> None:
    marker = new_marker()
    file = tmp_path / "file"
    file.write_text(marker)
    scanner = residue.scanner(marker)

    assert list(scanner.in_files([tmp_path], since=file.stat().st_ctime)) == [str(file)]
    assert scanner.in_files([tmp_path], since=file.stat().st_ctime + 1) == {}


def test_a_deleted_file_that_is_still_open_is_found() -> None:
    marker = new_marker()
    with tempfile.TemporaryFile() as file:
        file.write(marker.encode())
        file.flush()

        assert len(residue.in_open_files([psutil.Process(os.getpid())], marker)) == 1


def test_a_marker_in_the_memory_of_a_process_is_found_and_another_is_not() -> None:
    marker = new_marker()
    with holding(marker.encode()) as process:
        assert residue.in_memory([process], marker) != {}
        assert residue.in_memory([process], new_marker()) == {}
        assert residue.scanner(marker).sees(process)
        assert not residue.scanner(new_marker()).sees(process)


def test_memory_is_searched_where_no_file_lies_behind_it_and_it_cannot_be_written() -> None:
    marker = new_marker()
    frozen = (
        "import ctypes, mmap, sys; kept = mmap.mmap(-1, 4096, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS);"
        "kept.write(sys.stdin.buffer.raw.read(24));"
        "place = ctypes.addressof(ctypes.c_char.from_buffer(kept));"
        "assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(place), 4096, mmap.PROT_READ) == 0;"
        "print('kept', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", frozen], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(marker.encode())
        child.stdin.flush()
        assert child.stdout.readline() == b"kept\n"

        assert residue.in_memory([psutil.Process(child.pid)], marker) != {}


def test_a_folder_that_is_not_there_is_an_error_and_not_an_absence(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        residue.in_files([tmp_path / "nowhere"], "marker" * 4)
