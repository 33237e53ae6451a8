"""Which hosts and processes Mayfly takes for too weak."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from api import weaknesses
from api.assurance import storage
from api.settings import Settings
from ingestion.level import Walls
from processes.hardening import Hardening, child_environment

SOUND = Hardening(dumpable=False, core_limit_bytes=0, umask=0o077, scrubbing_allocator=True, foreign_code=False)


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    table = tmp_path / "mountinfo"
    monkeypatch.setattr(weaknesses, "_MOUNTS", table)
    return table


def line(point: Path | str, filesystem: str, device: str = "0:0") -> str:
    return f"30 1 {device} / {point} rw,relatime shared:1 - {filesystem} source rw\n"


def test_of_two_mounts_on_one_path_the_later_counts(mounts: Path, tmp_path: Path) -> None:
    mounts.write_text(line("/", "overlay") + line(tmp_path, "tmpfs") + line(tmp_path, "ext4"))

    found = storage(tmp_path / "inside")

    assert (found.filesystem, found.ram_backed) == ("ext4", False)


def test_a_mount_that_another_one_hides_does_not_count(mounts: Path, tmp_path: Path) -> None:
    number = tmp_path.stat().st_dev
    device = f"{os.major(number)}:{os.minor(number)}"
    mounts.write_text(line("/", "overlay") + line(tmp_path, "tmpfs") + line(tmp_path.parent, "xfs", device))

    assert storage(tmp_path).filesystem == "xfs"


def test_a_mount_point_with_a_space_is_understood(mounts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    mounts.write_text(line("/", "ext4") + line(str(folder).replace(" ", "\\040"), "tmpfs"))

    assert storage(folder).ram_backed


def test_active_swap_is_a_weakness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    swaps = tmp_path / "swaps"
    monkeypatch.setattr(weaknesses, "_SWAPS", swaps)
    swaps.write_text("Filename Type Size Used Priority\n")
    without = weaknesses.swap_active()
    swaps.write_text("Filename Type Size Used Priority\n/swapfile file 1 0 -2\n")

    assert (without, weaknesses.swap_active()) == (False, True)
    assert "swap is active" in weaknesses.of_host(Settings(runtime_dir=tmp_path))


@pytest.mark.parametrize(
    ("state", "word"),
    [
        (replace(SOUND, dumpable=True), "dumpable"),
        (replace(SOUND, core_limit_bytes=-1), "core files"),
        (replace(SOUND, scrubbing_allocator=False), "scrubbing"),
        (replace(SOUND, foreign_code=True), "not installed"),
    ],
)
def test_a_process_that_is_not_hardened_is_named(state: Hardening, word: str) -> None:
    (found,) = weaknesses.of_process("embedder", state, scrubbing=True)

    assert "embedder" in found
    assert word in found
    assert weaknesses.of_process("embedder", SOUND, scrubbing=True) == []


@pytest.mark.parametrize(("limit", "count"), [("0", 0), ("unlimited", 1)])
def test_the_kernel_tells_who_may_write_core_files(limit: str, count: int) -> None:
    script = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        ["bash", "-c", f'ulimit -S -c {limit} && exec "$0" -c "$1"', sys.executable, script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = weaknesses.of_core_limit("jailer", process.pid)
        process.kill()

    assert len(found) == count


def test_what_is_weak_is_refused_by_name_unless_allowed() -> None:
    with pytest.raises(weaknesses.HostTooWeak, match="one thing; and more"):
        weaknesses.insist(Settings(), ["one thing", "and more"])

    weaknesses.insist(Settings(), [])
    weaknesses.insist(Settings(allow_weak_host=True), ["swap is active"])


def test_a_front_that_does_not_scrub_refuses_to_serve(tmp_path: Path) -> None:
    environment = child_environment(tmp_path, scrubbing=False)
    tried = subprocess.run(
        [sys.executable, "-m", "api.front", "--socket", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert tried.returncode == os.EX_CONFIG
    assert "the front process frees memory without scrubbing it" in tried.stderr


def test_settings_reach_only_a_process_that_needs_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MAYFLY_DATABASE_URL", "mariadb://keeper:swordfish@record/mayfly")

    assert "swordfish" not in "".join(child_environment(tmp_path, scrubbing=True).values())
    assert "MAYFLY_DATABASE_URL" in child_environment(tmp_path, scrubbing=True, with_settings=True)


FULL = Walls(
    frozenset({(wall, "namespace") for wall in ("network", "processes", "files")})
    | {("limits", "rlimits"), ("user", "capabilities"), ("syscalls", "seccomp")}
)
REDUCED = Walls(
    frozenset({("network", "seccomp"), ("processes", "seccomp"), ("files", "landlock")})
    | {("limits", "rlimits"), ("user", "capabilities"), ("syscalls", "seccomp")}
)


@pytest.mark.parametrize("walls", [FULL, REDUCED])
def test_a_jail_with_namespaces_or_what_stands_in_for_them_is_strong_enough(walls: Walls) -> None:
    assert weaknesses.of_jail(walls) == []


@pytest.mark.parametrize(
    ("wall", "words"), [("network", "the network"), ("files", "other files"), ("syscalls", "the whole of the kernel")]
)
def test_a_jail_without_a_wall_is_told_what_it_lets_through(wall: str, words: str) -> None:
    (found,) = weaknesses.of_jail(Walls(frozenset(pair for pair in REDUCED.held if pair[0] != wall)))

    assert found == f"no wall keeps a parser from {words}"


def test_a_jail_that_is_too_weak_is_refused_unless_that_very_thing_is_allowed() -> None:
    found = weaknesses.of_jail(Walls(frozenset()))

    with pytest.raises(weaknesses.HostTooWeak, match="MAYFLY_ALLOW_WEAK_JAIL"):
        weaknesses.insist_on_jail(Settings(), found)
    with pytest.raises(weaknesses.HostTooWeak, match="no wall keeps a parser from the network; "):
        weaknesses.insist_on_jail(Settings(allow_weak_host=True), found)
    with pytest.raises(weaknesses.HostTooWeak):
        weaknesses.insist(Settings(allow_weak_jail=True), ["something of the host"])

    weaknesses.insist_on_jail(Settings(allow_weak_jail=True), found)
    weaknesses.insist_on_jail(Settings(), [])


def test_swap_alone_keeps_no_service_from_starting() -> None:
    weaknesses.insist(Settings(), [weaknesses.SWAP_ACTIVE])

    with pytest.raises(weaknesses.HostTooWeak, match="too weak: and more "):
        weaknesses.insist(Settings(), [weaknesses.SWAP_ACTIVE, "and more"])
