import errno
import os
from pathlib import Path

import pytest

from ingestion.quarantine import SEGMENT_BYTES, Quarantine, SealBroken, SealedFile, remove, usage
from models.errors import NoSpace

CANARY = b"The bittern boomed over the reed bed at dusk. "


@pytest.fixture
def quarantine(tmp_path: Path) -> Quarantine:
    return Quarantine(tmp_path, "session")


def sealed(quarantine: Quarantine, content: bytes) -> SealedFile:
    file = quarantine.create()
    file.write(content)
    file.close()
    return file


@pytest.mark.parametrize("size", [0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES])
def test_what_was_sealed_comes_back_whatever_its_size(quarantine: Quarantine, size: int) -> None:
    content = (CANARY * (size // len(CANARY) + 1))[:size]

    file = sealed(quarantine, content)

    assert b"".join(file.read()) == content
    assert b"".join(file.read()) == content, "a second reading, after a jailer that restarted, finds it too"
    assert file.plain_bytes == size


def test_no_plain_text_is_in_the_file(quarantine: Quarantine) -> None:
    file = sealed(quarantine, CANARY * 5000)

    assert b"bittern" in b"".join(file.read()), "never there, so its absence below would prove nothing"
    assert b"bittern" not in file.path.read_bytes()
    assert b"bittern" not in file.path.name.encode()


def test_the_same_content_is_never_sealed_the_same_way_twice(quarantine: Quarantine) -> None:
    first, second = sealed(quarantine, CANARY), sealed(quarantine, CANARY)

    assert first.path.name != second.path.name
    assert first.path.read_bytes() != second.path.read_bytes()


def test_only_the_owner_can_open_the_file(quarantine: Quarantine) -> None:
    file = sealed(quarantine, CANARY)

    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("at", [0, 100, SEGMENT_BYTES + 20, -1])
def test_a_changed_byte_anywhere_is_noticed(quarantine: Quarantine, at: int) -> None:
    file = sealed(quarantine, CANARY * 3000)
    stolen = bytearray(file.path.read_bytes())
    stolen[at] ^= 1
    file.path.write_bytes(stolen)

    with pytest.raises(SealBroken):
        list(file.read())


@pytest.mark.parametrize("kept_segments", [0, 1, 2])
def test_a_file_cut_at_a_segment_s_end_is_noticed(quarantine: Quarantine, kept_segments: int) -> None:
    file = sealed(quarantine, b"x" * (3 * SEGMENT_BYTES))
    file.path.write_bytes(file.path.read_bytes()[: kept_segments * (SEGMENT_BYTES + 16)])

    with pytest.raises(SealBroken):
        list(file.read())


def test_swapped_segments_are_noticed(quarantine: Quarantine) -> None:
    file = sealed(quarantine, b"x" * (3 * SEGMENT_BYTES))
    size, stolen = SEGMENT_BYTES + 16, file.path.read_bytes()
    file.path.write_bytes(stolen[size : 2 * size] + stolen[:size] + stolen[2 * size :])

    with pytest.raises(SealBroken):
        list(file.read())


def test_bytes_behind_the_end_are_noticed(quarantine: Quarantine) -> None:
    file = sealed(quarantine, CANARY)
    file.path.write_bytes(file.path.read_bytes() + b"more")

    with pytest.raises(SealBroken):
        list(file.read())


def test_destroying_a_file_removes_it_and_zeroes_its_key(quarantine: Quarantine) -> None:
    file = sealed(quarantine, CANARY)
    assert any(file._key), "the key was never there, so its absence would prove nothing"

    file.destroy()
    file.destroy()

    assert not file.path.exists()
    assert not any(file._key)
    with pytest.raises(SealBroken):
        list(file.read())


def test_a_half_written_file_cannot_be_read_and_can_be_destroyed(quarantine: Quarantine) -> None:
    file = quarantine.create()
    file.write(CANARY)
    pending = file._pending

    with pytest.raises(SealBroken):
        list(file.read())
    file.destroy()

    assert not any(pending), "what was not yet sealed is zeroed"
    assert not file.path.exists()
    with pytest.raises(SealBroken):
        file.write(b"x" * (2 * SEGMENT_BYTES))


def test_a_full_file_system_is_called_by_its_name() -> None:
    file = SealedFile.__new__(SealedFile)
    file._fd = os.open("/dev/full", os.O_WRONLY)

    with pytest.raises(NoSpace) as refusal:
        file._store(b"x")

    assert isinstance(refusal.value.__cause__, OSError)
    assert refusal.value.__cause__.errno == errno.ENOSPC
    file._close_descriptor()


def test_usage_counts_the_sealed_files_of_all_sessions(tmp_path: Path) -> None:
    assert usage(tmp_path / "absent") == (0, 0)
    files = [sealed(Quarantine(tmp_path, session), CANARY) for session in ("one", "two", "two")]

    assert usage(tmp_path) == (3, sum(file.path.stat().st_size for file in files))

    files[0].destroy()
    assert usage(tmp_path)[0] == 2


def test_a_planted_link_in_the_place_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root = tmp_path / "quarantine"
    root.mkdir()
    (root / "session").symlink_to(elsewhere)

    with pytest.raises(OSError, match="Not a directory"):
        Quarantine(root, "session").create()

    assert list(elsewhere.iterdir()) == []


def test_a_planted_file_under_the_same_name_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    quarantine = Quarantine(tmp_path, "session")
    taken = quarantine.create().path
    monkeypatch.setattr("ingestion.quarantine.secrets.token_hex", lambda _: taken.name)
    planted = tmp_path / "planted"
    taken.unlink()
    taken.symlink_to(planted)

    with pytest.raises(FileExistsError):
        quarantine.create()

    assert not planted.exists()


@pytest.mark.parametrize("stands_there", ["folder", "link", "dangling link", "file", "nothing"])
def test_removing_takes_what_stands_there_and_touches_nothing_elsewhere(tmp_path: Path, stands_there: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "kept").touch()
    folder = tmp_path / "session"
    if stands_there == "folder":
        folder.mkdir()
        (folder / "within").symlink_to(elsewhere)
    elif "link" in stands_there:
        folder.symlink_to(elsewhere if stands_there == "link" else tmp_path / "nowhere")
    elif stands_there == "file":
        folder.touch()

    remove(folder)

    assert not os.path.lexists(folder)
    assert (elsewhere / "kept").exists()
