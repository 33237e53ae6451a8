"""``python -m fuzz [NAME …] [--seconds 60]``: see README.md beside this file. Exits with 1 when anything was found."""

import argparse
import importlib.util
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from fuzz.child import InputAt, Outcome, outcomes
from fuzz.harnesses import Harness, harnesses
from fuzz.mutate import mutated
from fuzz.seeds import seeds_of


def main() -> None:
    """Run the harnesses that are named, or all of them, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="harnesses; without any: all")
    parser.add_argument("--seconds", type=float, default=60.0, help="for each harness")
    parser.add_argument("--plain", action="store_true", help="do not use atheris even where it is installed")
    parser.add_argument("--keep", type=Path, help="a folder for what is found; without it: a fresh temporary one")
    parser.add_argument("--list", action="store_true", help="only name them")
    arguments = parser.parse_args()
    known = harnesses()
    names = arguments.names or list(known)
    if unknown := set(names) - set(known):
        parser.error(f"no such harness: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if arguments.list:
        _say("\n".join(names))
        return
    keep = arguments.keep or Path(tempfile.mkdtemp(prefix="mayfly-fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)
    guided = not arguments.plain and importlib.util.find_spec("atheris") is not None
    run = _guided if guided else _plain
    found = [run(known[name], arguments.seconds, keep) for name in names]
    _say(f"{sum(found)} found; inputs in {keep}")
    sys.exit(1 if any(found) else 0)


def _plain(harness: Harness, seconds: float, keep: Path) -> int:
    """Try mutations of the seeds for so long; save each kind of finding once and return how many there are."""
    input_at = mutations(seeds_of(harness.name), seed=random.randrange(1 << 30))  # noqa: S311 - no secret.
    seen = list[Outcome]()
    saved = dict[tuple[str, str], Path]()
    for outcome in outcomes(harness, input_at, count=None, seconds=seconds):
        seen.append(outcome)
        if outcome.kind != "fine" and (outcome.kind, outcome.where) not in saved:
            path = keep / f"{harness.name}-{outcome.kind}-{len(saved)}"
            path.write_bytes(input_at(outcome.index))
            saved[outcome.kind, outcome.where] = path
    _say(f"{harness.name}: {len(seen)} inputs, {dict(Counter(outcome.kind for outcome in seen))}")
    for (kind, where), path in saved.items():
        _say(f"  {kind}: {where} ({path.name})")
    return sum(outcome.is_bad for outcome in seen)


def _guided(harness: Harness, seconds: float, keep: Path) -> int:
    """Let coverage guide the mutations, in a process of its own that ends at the first finding; judge what it saved."""
    corpus = keep / "corpus" / harness.name
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds_of(harness.name)):
        (corpus / f"seed-{number}").write_bytes(seed)
    artifacts = keep / f"{harness.name}-"
    command = [sys.executable, "-W", "ignore", "-m", "fuzz.guided", harness.name, str(corpus)]
    options = [
        f"-max_total_time={seconds:.0f}",
        "-timeout=60",
        "-max_len=400000",
        "-rss_limit_mb=3072",
        f"-artifact_prefix={artifacts}",
    ]
    ended = subprocess.run([*command, *options], capture_output=True, check=False)
    lines = ended.stderr.decode("utf-8", "replace").splitlines()
    _say(f"{harness.name}: {next((line for line in reversed(lines) if line.startswith(('Done', '#'))), 'no line')}")
    for path in sorted(keep.glob(f"{harness.name}-*")):
        # An input may kill whoever judges it; then its name, crash or timeout, tells what it is.
        for outcome in outcomes(harness, lambda _, path=path: path.read_bytes(), count=1):
            _say(f"  {path.name}: {outcome.kind} {outcome.where}")
    for line in sorted({line for line in lines if line.startswith("NOTED ")}):
        _say(f"  {line}")
    if ended.returncode:
        _say("\n".join(f"  | {line}" for line in lines[-15:]))
    return int(ended.returncode != 0)


def mutations(seeds: Sequence[bytes], *, seed: int) -> InputAt:
    """Return a function from a number to an input: the seeds as they are, then changed ones, always the same."""

    def input_at(index: int) -> bytes:
        if index < len(seeds):
            return seeds[index]
        source = random.Random(f"{seed}/{index}")  # noqa: S311 - no secret.
        return mutated(seeds[index % len(seeds)], seeds, source)

    return input_at


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
