"""On what a benchmark ran: the machine, how busy it was, the versions that decide the figures, and which commit."""

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib.metadata import distributions, version
from pathlib import Path

_OURS = ("onnxruntime", "chromadb", "fastapi", "tokenizers", "numpy", "torch", "sentence-transformers")
# What decides how fast a model runs on a processor of this kind.
_INSTRUCTION_SETS = ("avx2", "f16c", "fma", "avx512f", "avx512_vnni", "avx_vnni", "avx512_bf16", "amx_int8", "amx_bf16")


def describe() -> dict[str, object]:
    """Return processor, cores, memory, system load and the versions that decide the figures."""
    memory_kb = next((int(line.split()[1]) for line in _lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return {
        "processor": _of_processor("model name"),
        "cores": os.cpu_count(),
        "instruction_sets": " ".join(name for name in _INSTRUCTION_SETS if name in _of_processor("flags").split()),
        "memory_gib": round(memory_kb / 1_048_576, 1),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "load_average": load(),
        "python": platform.python_version(),
        **{name: version(name) for name in _OURS},
    }


def load() -> float:
    """Return how many programs wanted a processor, on average over the last minute."""
    return round(os.getloadavg()[0], 2)


def now() -> str:
    """Return date and time, UTC, to the minute."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M")


def commit(folder: Path) -> str:
    """Return what git calls the checkout in a folder, with a word when files differ from it."""
    said = subprocess.run(
        ["git", "-C", str(folder), "describe", "--always", "--dirty= and changes", "--exclude=*"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return said.stdout.strip() or "unknown"


def versions_in(environment: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the versions that a virtual environment has of some packages; one it lacks is left out."""
    places = [str(place) for place in environment.glob("lib/python*/site-packages")]
    there = {made.name.lower().replace("_", "-"): made.version for made in distributions(path=places)}
    return {name: there[name] for name in names if name in there}


def _of_processor(what: str) -> str:
    return next((line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith(what)), "unknown")


def _lines(file: str) -> list[str]:
    return Path(file).read_text(encoding="utf-8").splitlines()
