"""Compare constraints.txt with floors.txt and fail when a pinned version lies below its floor."""

import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def pins(lines: Iterable[str]) -> dict[str, tuple[int, ...]]:
    """Map each ``name==version`` line to its numbers; comments and markers are left out."""
    cut = (line.split(";")[0].split("#")[0].strip() for line in lines)
    pairs = (line.split("==") for line in cut if "==" in line)
    return {name.strip(): tuple(int(part) for part in version.split(".") if part.isdigit()) for name, version in pairs}


def below_floor(pinned: dict[str, tuple[int, ...]], floors: dict[str, tuple[int, ...]]) -> list[str]:
    """Return the names pinned below their floor; a floor for what is not pinned at all counts too, as it is stale."""
    return sorted(name for name, floor in floors.items() if pinned.get(name, ()) < floor)


def main() -> None:
    """Print what is too low and exit 1, or say that nothing is."""
    floors = pins((ROOT / "floors.txt").read_text().splitlines())
    faults = below_floor(pins((ROOT / "constraints.txt").read_text().splitlines()), floors)
    sys.stdout.write(
        f"Pinned below the floor: {', '.join(faults)}\n" if faults else f"All {len(floors)} floors hold.\n"
    )
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
