"""The jailer process. Run as ``python -m ingestion.jailer`` with a ``JailerConfig`` as JSON on standard input.

Owns how it starts: without the launcher's environment, which names databases and keys and would be in the memory of
every jail. The parsers are imported after that, so this module is cheap to import for its configuration.
"""

import os
import sys

import msgspec

from ingestion.limits import JailerConfig, JailLimits
from processes import events, hardening

__all__ = ["JailLimits", "JailerConfig", "main"]

_KEPT_NAMES = frozenset({"HOME", "MAYFLY_SUPERVISED"})
# A jail is two forks of the jailer: in large pages each costs a tenth. See docs/adr/0006.
_LARGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def main() -> None:
    """Read the configuration from standard input and serve until SIGTERM.

    Ends with ``EX_CONFIG`` on a machine that lets no jail be built at all, which is not tried again when it happens at
    the service's start, and with 1 after a while where jails are weaker than the configuration allows.
    """
    hardening.harden()
    hardening.forget_environment("ingestion.jailer", keeping=_KEPT_NAMES, otherwise=_LARGE_PAGES)
    events.silence_tracebacks()
    from ingestion.guard import Guard, TooWeak
    from ingestion.warm import NoJail

    config = msgspec.json.decode(sys.stdin.buffer.read(), type=JailerConfig)
    try:
        guard = Guard(config)
    except NoJail:
        events.log("jailer_refuses")
        raise SystemExit(os.EX_CONFIG) from None
    events.log("jailer_ready", level=guard.walls.level, walls=" ".join(guard.walls.names), jails=config.jails)
    try:
        guard.run()
    except TooWeak:
        events.log("jailer_too_weak", level=guard.walls.level)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
