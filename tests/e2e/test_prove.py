"""``mayfly prove`` finds nothing where nothing is, and says so when something is, or when it could not look."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from api.proving import world
from api.proving.markers import HELD, HELD_OF_LINKS, Markers
from api.proving.places import Place
from api.proving.prove import prove
from api.proving.search import Search
from tests.support.deployed import deployment
from tests.support.mariadb import Server
from tests.support.service import Service

FILES = {"runtime directory", "data directory", "database files", "service log", "RAM disk", "temporary directories"}
PLACES = FILES | {"home and caches", "core dumps", "system logs", "deleted files still open"}
SURVIVORS = {"launcher", "front", "host", "jailer", "embedder", "fetcher"}


@pytest.mark.timeout(900)  # It reads whatever else this machine writes meanwhile.
def test_a_throw_away_service_is_proven_clean_from_the_command_line(tmp_path: Path) -> None:
    page = tmp_path / "sheet.md"

    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "prove", "--throw-away", "--sessions", "0", "--json", "--page", str(page)],
        env=os.environ | {"NO_COLOR": "1", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=840,
    )

    assert world.hindrance() is None, "no network namespace here, so no link can be followed"
    sheet = json.loads(done.stdout)
    places = {place["place"]: place for place in sheet["places"]}
    assert (done.returncode, sheet["missing"]) == (0, []), page.read_text(encoding="utf-8")
    assert sheet["holds"] is True
    assert places.keys() >= PLACES | {f"memory: {name}" for name in SURVIVORS}
    assert {place["verdict"] for place in places.values()} == {"clear"}
    assert all(place["forms_seen"] == place["forms"] for place in places.values())
    assert sheet["not_tried"] == []
    assert sheet["held_before"].keys() == {*HELD, *HELD_OF_LINKS}
    assert min(sheet["held_before"].values()) > 0
    assert {step["step"]: step["times"] for step in sheet["times"]}["expiry, idle for 30 s"] == 1
    assert sheet["ciphertexts"] == 4, "a key that was never found cannot be found to be gone"
    assert "| memory: embedder | clear | 0 | 0 |" in page.read_text(encoding="utf-8")


@pytest.mark.timeout(900)
def test_mariadb_s_own_files_and_memory_are_among_what_is_searched(on_mariadb: Service, mariadb: Server) -> None:
    sheet = prove(deployment(on_mariadb), Console(quiet=True), sessions=3)

    places = {place.place: place for place in sheet.places}
    assert sheet.missing == ()
    assert [place for place in sheet.places if place.verdict != "clear"] == []
    assert places["database files"].read_bytes > sum(file.stat().st_size for file in mariadb.data.glob("ib*"))
    assert places["memory: database"].read_bytes > 0
    assert {step.step: step.times for step in sheet.times}["sign-out"] == 2
    assert sheet.not_tried == (
        "a session that runs out of time, because that takes 1800 s here",
        "a link, because this deployment allows none",
    )


def test_what_is_left_in_a_place_is_found_and_a_place_that_cannot_be_searched_is_not_clear(
    service: Service, tmp_path: Path
) -> None:
    markers = Markers("learner")
    search = Search(deployment(service), list(markers.needles()), since=time.time() - 1)
    (tmp_path / "left").write_text(markers.sentence("body"), encoding="utf-16-le")

    found = search.place(Place("folder", (tmp_path,)))
    nowhere = search.place(Place("nowhere"))
    refused = search.place(Place("refused", (tmp_path / "none",)))

    assert found.hits["learner: body", "utf-16-le"] == 1
    assert found.unproven is None
    assert nowhere.unproven == "none of its folders exists"
    assert refused.unproven is not None
