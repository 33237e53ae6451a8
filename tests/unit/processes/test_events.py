"""What a process says of itself, and what becomes of it where nothing can be written."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SAY = """
import sys
from processes.events import LOG, log
log("said", number=1)
print(LOG.lost)
sys.exit(3)
"""


@pytest.mark.parametrize(("log", "lost"), [("a file", 0), ("/dev/full", 1)])
def test_a_line_for_which_there_is_no_room_is_counted_and_stops_nothing(tmp_path: Path, log: str, lost: int) -> None:
    file = tmp_path / "log" if log == "a file" else Path(log)
    with file.open("wb") as errors:
        said = subprocess.run([sys.executable, "-c", SAY], stdout=subprocess.PIPE, stderr=errors, check=False)

    assert (said.returncode, said.stdout) == (3, f"{lost}\n".encode())
    if not lost:
        assert json.loads(file.read_text())["event"] == "said"
