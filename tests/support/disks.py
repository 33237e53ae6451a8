"""Small real disks: a RAM disk of a few pages, and an image with a file system of its own that can be copied.

Mounting needs privileges. Where they are missing, ``Unmountable`` is raised with what was tried: what such a test would
prove is not proven there, and it fails rather than says otherwise.
"""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

_SYSTEM = (os.defpath, "/usr/sbin", "/sbin")


class Unmountable(RuntimeError):
    """This machine lets nobody mount anything here."""


@contextlib.contextmanager
def mounted(folder: Path, *arguments: str) -> Generator[Path]:
    """Mount something on a folder, made if it is not there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    _run("mount", *arguments, str(folder))
    try:
        folder.chmod(0o700)
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@contextlib.contextmanager
def ram_disk(folder: Path, *, kib: int) -> Generator[Path]:
    """Mount a RAM disk of that size."""
    with mounted(folder, "-t", "tmpfs", "-o", f"size={kib}k,mode=0700", "tmpfs") as disk:
        yield disk


def make_image(file: Path, *, mib: int) -> None:
    """Make a file that holds an empty ext4 file system, which keeps the blocks of what is deleted."""
    with file.open("wb") as image:
        image.truncate(mib * 1024 * 1024)
    _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,nodiscard", str(file))


@contextlib.contextmanager
def image_mounted(file: Path, folder: Path) -> Generator[Path]:
    """Mount an image; its journal is played back first, as after a power cut."""
    with mounted(folder, "-o", "loop,nodiscard", str(file)) as disk:
        yield disk


@contextlib.contextmanager
def filled(disk: Path) -> Generator[None]:
    """Leave no byte free on a disk while the block runs."""
    filler = disk / "filler"
    descriptor = os.open(filler, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        with contextlib.suppress(OSError):  # It is full, which is the point.
            for size in (65_536, 4096, 1):
                with contextlib.suppress(OSError):
                    while os.write(descriptor, b"x" * size):
                        continue
        yield
    finally:
        os.close(descriptor)
        filler.unlink()


def refuse_to_mount(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Make this machine one that mounts nothing, for a test: ``mount`` answers as it does to whoever may not."""
    programs = folder / "programs"
    programs.mkdir()
    mount = programs / "mount"
    mount.write_text("#!/bin/sh\necho 'mount: only root can do that' >&2\nexit 1\n", encoding="ascii")
    mount.chmod(0o700)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def _run(program: str, *arguments: str) -> None:
    found = shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), *_SYSTEM)))
    if found is None:
        raise Unmountable(f"{program} is not installed")
    done = subprocess.run([found, *arguments], capture_output=True, check=False)
    if done.returncode:
        raise Unmountable(f"{program} {' '.join(arguments)}: {done.stderr.decode(errors='replace').strip()}")
