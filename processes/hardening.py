"""What every Mayfly process does to itself before it touches content.

Owns the calls that keep memory out of core files, other users' hands and orphaned processes. Refuses nothing: what
holds is reported by ``state()`` and published in ``GET /v1/assurance``.
"""

import ctypes
import os
import resource
import signal
import site
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path

import msgspec

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_GET_DUMPABLE = 3

# Tells a started process who started it, so that it notices a parent that died before the death signal was armed.
PARENT_VARIABLE = "MAYFLY_PARENT_PID"

# Overwrites every freed block and keeps none aside. Both are needed: see docs/adr/0002-processes-start-clean.md.
SCRUBBING_ENVIRONMENT = {
    "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0",
    "PYTHONMALLOC": "malloc",
}

# A session multiplies a matrix of some megabytes with one vector. On a busy machine a second thread is waited for: it
# took 14.5 ms instead of 1.8 for 10,000 chunks.
ONE_THREAD_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1"}
OFFLINE_ENVIRONMENT = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "ANONYMIZED_TELEMETRY": "False",
    "TOKENIZERS_PARALLELISM": "false",
    "OMP_THREAD_LIMIT": "1",
}

# A library that finds these set may report elsewhere what passes through it. None of ours is meant to.
_FOREIGN_PREFIXES = ("CHROMA_", "OTEL_", "SENTRY_")
_OWN_PACKAGES = ("api", "sessions", "ingestion", "vectorstore", "models", "processes")

# What an interpreter needs to run as it was started, and nothing of ours.
_NEEDED_NAMES = frozenset({"PATH", "TMPDIR", "TZ", "LANG", "VIRTUAL_ENV", "GLIBC_TUNABLES"})
_NEEDED_PREFIXES = ("LC_", "PYTHON")


class Hardening(msgspec.Struct, frozen=True):
    """What this process could make true of itself."""

    dumpable: bool
    core_limit_bytes: int
    umask: int
    scrubbing_allocator: bool
    foreign_code: bool


def harden(*, die_with_parent: bool = True) -> None:
    """Make this process undumpable, core-less, private by default and (unless told otherwise) mortal with its parent.

    Raises ``SystemExit`` when the parent was already gone: an orphan must not live on with content.
    """
    parent = int(os.environ.pop(PARENT_VARIABLE, os.getppid()))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
    if die_with_parent:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            raise SystemExit("the parent process is gone")


def forget_environment(
    module: str, *, keeping: frozenset[str] = frozenset(), otherwise: Mapping[str, str] | None = None
) -> None:
    """Start over as ``module`` with the variables that are needed, unless there are no others.

    ``otherwise`` are values for those that are not set. Clearing variables later would leave a copy in memory. Standard
    input must not have been read yet.
    """
    needed = _NEEDED_NAMES | keeping
    own = {name: os.environ[name] for name in os.environ if name in needed or name.startswith(_NEEDED_PREFIXES)}
    kept = dict(otherwise or {}) | own
    if kept != dict(os.environ):
        os.execve(sys.executable, [sys.executable, "-m", module], kept)  # noqa: S606 - ourselves.


def state() -> Hardening:
    """Read back, from the kernel, what ``harden`` set."""
    libc = ctypes.CDLL(None, use_errno=True)
    umask = os.umask(0o077)
    os.umask(umask)
    return Hardening(
        dumpable=libc.prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0,
        core_limit_bytes=resource.getrlimit(resource.RLIMIT_CORE)[0],
        umask=umask,
        scrubbing_allocator=all(os.environ.get(name) == value for name, value in SCRUBBING_ENVIRONMENT.items()),
        foreign_code=bool(foreign_modules()),
    )


def foreign_modules() -> list[str]:
    """Return the modules this process has loaded that are neither Mayfly's nor installed: what a test brings in.

    Failpoints are such a module (docs/adr/0014-faults-come-from-outside.md). What was started itself does not count.
    """
    own = {*_OWN_PACKAGES, "__main__", "__mp_main__"}
    installed = tuple(f"{folder}{os.sep}" for folder in _installed())
    files = {name: getattr(module, "__file__", None) for name, module in list(sys.modules.items()) if "." not in name}
    return [name for name, file in files.items() if file and name not in own and not file.startswith(installed)]


def _installed() -> set[str]:
    paths = sysconfig.get_paths()
    standard = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    return {*standard, *site.getsitepackages(), site.getusersitepackages()}


def child_environment(temporary: Path, *, scrubbing: bool, with_settings: bool = False) -> dict[str, str]:
    """Return the environment a Mayfly process is started with: temp variables on a RAM disk, no telemetry, no hub.

    ``scrubbing`` adds the allocator settings; they act only when set before the process starts. Only a process
    ``with_settings`` sees Mayfly's own variables: the database's password may be among them.
    """
    foreign = _FOREIGN_PREFIXES if with_settings else (*_FOREIGN_PREFIXES, "MAYFLY_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    inherited |= (
        OFFLINE_ENVIRONMENT
        | ONE_THREAD_ENVIRONMENT
        | dict.fromkeys(("TMPDIR", "TEMP", "TMP", "SQLITE_TMPDIR"), str(temporary))
    )
    inherited[PARENT_VARIABLE] = str(os.getpid())
    return inherited | (SCRUBBING_ENVIRONMENT if scrubbing else {})
