"""One harness under atheris: ``python -m fuzz.guided NAME CORPUS [libFuzzer options]``. Ends at the first finding."""

import random
import sys

import atheris

INSTRUMENTED = ["api.multipart", "api.resumable", "ingestion", "striprtf", "trafilatura", "pypdf"]

with atheris.instrument_imports(include=INSTRUMENTED):  # type: ignore[reportAttributeAccessIssue] - it has no types.
    from fuzz.child import judge
    from fuzz.harnesses import harnesses
    from fuzz.mutate import mutated

_noted = set[str]()


class Found(Exception):
    """An input that must not be."""


def main() -> None:
    """Hand over to libFuzzer, which ends the process."""
    name, *options = sys.argv[1:]
    harness = harnesses()[name]

    def try_one(untrusted: bytes) -> None:
        outcome = judge(harness, untrusted)
        if outcome.kind == "noted" and outcome.where not in _noted:
            _noted.add(outcome.where)
            sys.stderr.write(f"NOTED {outcome.where}\n")
        if outcome.is_bad:
            raise Found(f"{outcome.kind}: {outcome.where}")

    atheris.Setup([sys.argv[0], *options], try_one, custom_mutator=_mutate)
    atheris.Fuzz()


def _mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change a ZIP inside mostly, anything else as libFuzzer does; now and then with our own words."""
    source = random.Random(seed)  # noqa: S311 - no secret.
    if data[:2] == b"PK" or source.random() < 0.2:
        return mutated(data, (), source)[:max_size]
    return atheris.Mutate(data, max_size)


if __name__ == "__main__":
    main()
