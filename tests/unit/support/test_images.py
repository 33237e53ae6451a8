"""A disk that cannot be had is not a test that cannot run, and what is searched in its place is said aloud."""

import contextlib
import os
from pathlib import Path

import pytest

from proof.needles import Needle
from proof.scan import Scanner
from tests.support.disks import refuse_to_mount
from tests.support.images import NO_IMAGE, Plain, bench

WORD = "xylocopa2946"


def test_where_nothing_can_be_mounted_files_are_searched_and_copied_and_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_mount(monkeypatch, tmp_path)

    with contextlib.ExitStack() as benches:
        with pytest.warns(RuntimeWarning, match=f"{NO_IMAGE}: mount .*only root can do that"):
            made = benches.enter_context(bench(tmp_path / "bench", mib=8))
        (made.folder / "deep").mkdir()
        (made.folder / "deep" / "file").write_text(WORD, encoding="ascii")
        hits = made.search(Scanner([Needle("word", "utf-8", WORD.encode())]))
        copy = benches.enter_context(made.copied())
        (made.folder / "deep" / "file").unlink()
        booted = (copy.folder / "deep" / "file").read_text(encoding="ascii")

    assert isinstance(made, Plain)
    assert hits["word", "utf-8"] == 1
    assert booted == WORD
    assert WORD.encode() in copy.held


@pytest.mark.filterwarnings(f"default:{NO_IMAGE}")
def test_a_disk_that_is_mounted_shows_files_that_were_deleted(tmp_path: Path) -> None:
    with bench(tmp_path / "bench", mib=8) as made:
        kept, deleted = made.folder / "kept", made.folder / "deleted"
        for file in (kept, deleted):
            file.write_text(WORD, encoding="ascii")
            with file.open("rb") as opened:
                os.fsync(opened.fileno())
        deleted.unlink()

        hits = made.search(Scanner([Needle("word", "utf-8", WORD.encode())]))

    assert hits["word", "utf-8"] == (1 if isinstance(made, Plain) else 2)
