"""Disk images with an ext4 file system, mounted, so that what a file system ever wrote can be read as raw bytes."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

SIZE_BYTES = 320 * 1024 * 1024
_SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))


class CannotMount(RuntimeError):
    """This machine mounts no images; the message says why."""


@dataclass(frozen=True, slots=True)
class Disk:
    """A mounted image: ``folder`` is where its files are, ``image`` holds its blocks, those of deleted files too."""

    image: Path
    folder: Path


@contextlib.contextmanager
def disk(folder: Path) -> Generator[Disk]:
    """Make an image below ``folder`` and mount it; raise ``CannotMount`` where that is not possible."""
    made = Disk(folder / "disk.ext4", folder / "disk")
    made.folder.mkdir()
    with made.image.open("wb") as image:
        image.truncate(SIZE_BYTES)
    _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,nodiscard", str(made.image))
    _run("mount", "-o", "loop,nodiscard", str(made.image), str(made.folder))
    try:
        yield made
    finally:
        # Lazily: another test, which searches all of this machine's files, may have one of these open.
        _run("umount", "--lazy", str(made.folder))


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program, path=_SEARCH)
    if found is None:
        raise CannotMount(f"{program} is not installed")
    done = subprocess.run([found, *arguments], capture_output=True, text=True, check=False, timeout=120)
    if done.returncode != 0:
        raise CannotMount(f"{program}: {done.stderr.strip()}")
