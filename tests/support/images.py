"""What a disk was ever told to keep, as a test reads it: the raw blocks of an image, where this machine mounts one.

Where it does not (no root, no loop devices), the files of a plain folder instead, with a warning in pytest's summary:
deleted files are not seen then, and a copy holds what the kernel had not yet written through. A test fails neither way
for want of rights, and runs on every machine in one of the two.
"""

import contextlib
import hashlib
import shutil
import warnings
from collections import Counter
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import Path

from proof.scan import Hits, Scanner
from tests.support.disks import Unmountable, image_mounted, make_image

NO_IMAGE = "no raw blocks were read, files instead"


@dataclass(frozen=True, slots=True)
class Image:
    """A mounted image: ``folder`` is where its files are, ``file`` holds its blocks, those of deleted files too."""

    folder: Path
    file: Path

    def search(self, scanner: Scanner) -> Hits:
        """Count the hits in the blocks."""
        return scanner.in_file(self.file)

    @contextlib.contextmanager
    def copied(self) -> Generator["Copy"]:
        """Copy the disk as it is, without what was not yet written through to it, and mount the copy."""
        copy = self.file.with_suffix(".copy")
        _copy_at_rest(self.file, copy)
        with image_mounted(copy, self.folder.with_suffix(".booted")) as booted:
            yield Copy(booted, copy.read_bytes())


@dataclass(frozen=True, slots=True)
class Plain:
    """A folder on whatever disk it is on."""

    folder: Path

    def search(self, scanner: Scanner) -> Hits:
        """Count the hits in the files that are there."""
        return sum(scanner.in_files([self.folder]).values(), Counter())

    @contextlib.contextmanager
    def copied(self) -> Generator["Copy"]:
        """Copy the files as the kernel shows them."""
        copy = self.folder.with_suffix(".copy")
        shutil.copytree(self.folder, copy, ignore=_special, dirs_exist_ok=True)
        yield Copy(copy, b"".join(file.read_bytes() for file in copy.rglob("*") if file.is_file()))


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of a disk: its files, and all bytes that were copied."""

    folder: Path
    held: bytes


Bench = Image | Plain


@contextlib.contextmanager
def bench(folder: Path, *, mib: int) -> Generator[Bench]:
    """Yield a disk of its own below ``folder``, which is made; where none can be mounted, a plain folder."""
    made = Image(folder / "disk", folder / "disk.ext4")
    folder.mkdir()
    with contextlib.ExitStack() as mounted:
        try:
            make_image(made.file, mib=mib)
            mounted.enter_context(image_mounted(made.file, made.folder))
        except Unmountable as reason:
            warnings.warn(f"{NO_IMAGE}: {reason}", RuntimeWarning, stacklevel=3)
            made.folder.mkdir(exist_ok=True)
            yield Plain(made.folder)
        else:
            yield made


def _special(folder: str, names: Iterable[str]) -> list[str]:
    """Return what is neither a file nor a folder, and so nothing that a disk would keep."""
    return [name for name in names if not (Path(folder, name).is_file() or Path(folder, name).is_dir())]


def _copy_at_rest(image: Path, copy: Path) -> None:
    """Copy an image at one moment: the kernel may still write to it, so it is copied until two copies are the same."""
    before = b""
    copy.unlink(missing_ok=True)  # A loop device may still hold the one before.
    for _ in range(50):
        copy.write_bytes(image.read_bytes())
        after = _digest_of(copy)
        if after == before:
            return
        before = after
    raise TimeoutError("the image did not come to rest")


def _digest_of(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "blake2b").digest()
