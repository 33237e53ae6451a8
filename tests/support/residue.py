"""Search a machine for a marker: in files, in deleted files that are still open, and in the memory of processes.

The search runs in the test's own process, outside every process that is searched. A place that cannot be read raises:
a search that did not happen proves nothing.
"""

import base64
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

import psutil

_WINDOW_BYTES = 16 * 1024 * 1024
_WRITABLE_REGION = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) rw")


def new_marker() -> str:
    """Return a word of 24 letters that no document, program or dictionary holds and that a scanner reads right."""
    return "".join(secrets.choice("abdfghkmnprsuvxz") for _ in range(24))


def forms(marker: str) -> tuple[bytes, ...]:
    """Return the byte forms a marker may take: UTF-8 and UTF-16, upper case, hex, base64 at its three alignments."""
    plain = marker.encode()
    encoded = [base64.b64encode(b"x" * shift + plain)[4 if shift else 0 : -4] for shift in range(3)]
    wide = [marker.encode("utf-16-le"), marker.encode("utf-16-be"), marker.encode("utf-32-le")]
    return (plain, marker.upper().encode(), plain.hex().encode(), *wide, *encoded)


def in_bytes(data: bytes, marker: str) -> int:
    """Count the hits of every form of the marker."""
    return sum(data.count(form) for form in forms(marker))


def in_files(folders: Iterable[Path], marker: str) -> list[str]:
    """Return the files below the folders whose name or bytes hold the marker."""
    hits: list[str] = []
    for file in _files(folders):
        try:
            found = marker in str(file) or in_bytes(file.read_bytes(), marker)
        except FileNotFoundError:
            continue  # It went away while the walk went on; gone is what the search hopes for.
        if found:
            hits.append(str(file))
    return hits


def in_open_files(processes: Iterable[psutil.Process], marker: str) -> list[str]:
    """Return the regular files, deleted ones too, that the processes hold open and that hold the marker."""
    return [
        f"{process.pid}:{descriptor.readlink()}"
        for process in processes
        for descriptor in _entries(Path(f"/proc/{process.pid}/fd"))
        if descriptor.is_file() and in_bytes(descriptor.read_bytes(), marker)
    ]


def in_memory(processes: Iterable[psutil.Process], marker: str) -> dict[str, int]:
    """Return, by process, the number of hits in its writable memory; processes without hits are left out.

    So are those that end meanwhile, as a jail does that has read its document: they hold nothing any more.
    """
    counted = dict[str, int]()
    for process in processes:
        try:
            counted[_label(process)] = _memory_hits(process.pid, marker)
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                raise
    return {label: hits for label, hits in counted.items() if hits}


def _label(process: psutil.Process) -> str:
    arguments = process.cmdline()
    return f"{process.pid} {' '.join(arguments[1:4])}"


def _memory_hits(pid: int, marker: str) -> int:
    needles = forms(marker)
    overlap = max(map(len, needles))
    hits = 0
    with Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
        for start, end in _regions(pid):
            for offset in range(start, end, _WINDOW_BYTES):
                try:
                    memory.seek(offset)
                    window = memory.read(min(_WINDOW_BYTES + overlap, end - offset))
                except OSError:
                    continue  # A guard page or a mapping that has just gone.
                hits += sum(window.count(needle) for needle in needles)
    return hits


def _regions(pid: int) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines():
        region = _WRITABLE_REGION.match(line)
        if region and "[v" not in line:
            yield int(region[1], 16), int(region[2], 16)


def _files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        if not folder.is_dir():
            raise NotADirectoryError(folder)
        yield from (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except FileNotFoundError:
        return []
