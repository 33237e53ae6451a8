"""Runs the parts of the benchmark, keeps their figures as JSON and makes the page of results.

    python -m benchmarks.run [--size small|full] [--only engines,service] [--output build/bench/results]

Each part is a module with a ``TITLE`` and ``measure(size, tally)``. One that fails keeps what it had, is named on the
page, and the others go on. The page is written beside the folder of figures, with its name: ``--output
benchmarks/results`` gives ``benchmarks/results.md`` and the plots in the folder.
"""

import argparse
import importlib
import sys
import time
import traceback
from pathlib import Path
from types import ModuleType

from benchmarks import machine
from benchmarks.page import write_page
from benchmarks.results import Report, Tally, load_all, save
from benchmarks.size import FULL, SIZES, SMALL, Size

# What each may take at size full on two quiet cores, in seconds; together less than twenty minutes.
BUDGETS = {"engines": 120, "scheduler": 30, "growth": 70, "finding": 280, "service": 680}
OUTPUT = Path("build/bench/results")


def main() -> int:
    """Run what is asked for and print the page; the exit code is 1 when a part failed."""
    arguments = parse()
    began, failed = time.monotonic(), False
    for name in filter(None, arguments.only.split(",")):
        report, part_failed = run(name, SIZES[arguments.size])
        save(report, arguments.output)
        failed |= part_failed
        budget = f" of {BUDGETS[name]}" if arguments.size == FULL.name and name in BUDGETS else ""
        say(f"{name}: {report.seconds:.0f}{budget} s, {len(report.rows)} rows{', FAILED' if part_failed else ''}")
    page = write_page(load_all(arguments.output), arguments.output)
    say(f"all: {time.monotonic() - began:.0f} s; {page}")
    return int(failed)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default=SMALL.name)
    parser.add_argument("--only", default=",".join(BUDGETS), help="parts, with commas; none: the page alone")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="the folder of figures and plots")
    return parser.parse_args()


def run(name: str, size: Size) -> tuple[Report, bool]:
    """Run one part and return its report, and whether it ended early."""
    module, tally, failed = importlib.import_module(f"benchmarks.{name}"), Tally(), False
    facts, when, began = machine.describe(), machine.now(), time.monotonic()
    try:
        module.measure(size, tally)
    except Exception as error:  # noqa: BLE001  # The other parts go on, and the page says it.
        traceback.print_exc(file=sys.stderr)
        tally.missing.append(f"what comes after the last row: {type(error).__name__}")
        failed = True
    return Report(
        benchmark=name,
        title=module.TITLE,
        size=size.name,
        seconds=round(time.monotonic() - began, 1),
        machine=facts,
        rows=tally.rows(),
        missing=tuple(tally.missing),
        about=_about(module),
        began=when,
        commit=machine.commit(Path()),
        load_after=machine.load(),
        versions=tally.versions,
    ), failed


def _about(module: ModuleType) -> str:
    """Return how it was measured, as the module says it."""
    return (module.__doc__ or "").strip()


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
