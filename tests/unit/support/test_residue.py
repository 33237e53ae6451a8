"""The search that other tests trust when it finds nothing: it does find what is there."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest

from tests.support import residue


@pytest.mark.parametrize("form", range(9))
def test_every_form_of_a_marker_is_found_in_a_file(tmp_path: Path, form: int) -> None:
    marker = residue.new_marker()
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "file").write_bytes(b"before" + residue.forms(marker)[form] + b"after")

    assert residue.in_files([tmp_path], marker) == [str(tmp_path / "deep" / "file")]


def test_a_marker_in_a_file_name_is_found(tmp_path: Path) -> None:
    marker = residue.new_marker()
    (tmp_path / f"{marker}.pdf").touch()

    assert len(residue.in_files([tmp_path], marker)) == 1


def test_a_deleted_file_that_is_still_open_is_found() -> None:
    marker = residue.new_marker()
    with tempfile.TemporaryFile() as file:
        file.write(marker.encode())
        file.flush()

        assert len(residue.in_open_files([psutil.Process(os.getpid())], marker)) == 1


def test_a_marker_in_the_memory_of_a_process_is_found_and_another_is_not() -> None:
    marker = residue.new_marker()
    keep = "import sys; kept = sys.stdin.readline(); print('kept', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", keep], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{marker}\n".encode())
        child.stdin.flush()
        assert child.stdout.readline() == b"kept\n"
        process = [psutil.Process(child.pid)]

        assert residue.in_memory(process, marker) != {}
        assert residue.in_memory(process, residue.new_marker()) == {}


def test_a_folder_that_is_not_there_is_an_error_and_not_an_absence(tmp_path: Path) -> None:
    with pytest.raises(NotADirectoryError):
        residue.in_files([tmp_path / "nowhere"], "marker")
