"""Runs benchmarks, keeps their figures as JSON and makes the page of results.

    python -m benchmarks.run [--size small|full] [--only engines,service] [--output build/bench] [--page results.md]

Each benchmark is a module with a ``TITLE`` and ``measure(size)``, which returns rows and what could not be measured.
"""

import argparse
import importlib
import sys
import time
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.page import write_page
from benchmarks.results import Report, load_all, save
from benchmarks.size import SIZES, SMALL, Size

BENCHMARKS = ("engines", "scheduler", "service")
OUTPUT = Path("build/bench")


def main() -> None:
    arguments = parse()
    for name in arguments.only.split(","):
        report = run(name, SIZES[arguments.size])
        save(report, arguments.output)
        print(f"{name}: {report.seconds:.0f} s, {len(report.rows)} rows", file=sys.stderr, flush=True)
    page = arguments.page or arguments.output / "results.md"
    write_page(load_all(arguments.output), page)
    print(page.read_text(encoding="utf-8"))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default=SMALL.name)
    parser.add_argument("--only", default=",".join(BENCHMARKS))
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--page", type=Path, help="where the page and its plots go, by default beside the JSON")
    return parser.parse_args()


def run(name: str, size: Size) -> Report:
    """Run one benchmark and return its report."""
    module = importlib.import_module(f"benchmarks.{name}")
    machine = describe()
    began = time.monotonic()
    rows, missing = module.measure(size)
    return Report(
        benchmark=name,
        title=module.TITLE,
        size=size.name,
        seconds=round(time.monotonic() - began, 1),
        machine=machine,
        rows=tuple(rows),
        missing=tuple(missing),
    )


if __name__ == "__main__":
    main()
