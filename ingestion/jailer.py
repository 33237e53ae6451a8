"""The jailer process. Run as ``python -m ingestion.jailer`` with a ``JailerConfig`` as JSON on standard input.

Owns how it starts: without the launcher's environment, which names databases and keys and would be in the memory of
every jail. The parsers are imported after that, so this module is cheap to import for its configuration.
"""

import os
import sys

import msgspec

from ingestion.limits import JailerConfig, JailLimits
from processes import hardening

__all__ = ["JailLimits", "JailerConfig", "main"]

_KEPT_NAMES = frozenset({"HOME", "PATH", "TMPDIR", "TZ", "LANG", "VIRTUAL_ENV", "GLIBC_TUNABLES", "MAYFLY_SUPERVISED"})
_KEPT_PREFIXES = ("LC_", "PYTHON")


def main() -> None:
    """Read the configuration from standard input and serve until SIGTERM.

    Ends with ``EX_CONFIG`` on a machine that lets no jail be built at all, which is not tried again when it happens at
    the service's start, and with 1 after a while where jails are weaker than the configuration allows.
    """
    hardening.harden()
    _forget_environment()
    from ingestion.guard import Guard, TooWeak, log
    from ingestion.warm import NoJail

    config = msgspec.json.decode(sys.stdin.buffer.read(), type=JailerConfig)
    try:
        guard = Guard(config)
    except NoJail:
        log("jailer_refuses")
        raise SystemExit(os.EX_CONFIG) from None
    log("jailer_ready", level=guard.walls.level, walls=" ".join(guard.walls.names), jails=config.jails)
    try:
        guard.run()
    except TooWeak:
        log("jailer_too_weak", level=guard.walls.level)
        raise SystemExit(1) from None


def _forget_environment() -> None:
    """Start over with what is needed, unless that is all there is: clearing it later leaves a copy in memory."""
    kept = {name: os.environ[name] for name in os.environ if name in _KEPT_NAMES or name.startswith(_KEPT_PREFIXES)}
    if kept != dict(os.environ):
        os.execve(sys.executable, [sys.executable, "-m", "ingestion.jailer"], kept)  # noqa: S606 - ourselves.


if __name__ == "__main__":
    main()
