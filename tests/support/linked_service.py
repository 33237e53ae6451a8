"""A whole service whose links lead somewhere: run under ``unshare --net --mount``, prints what happened as JSON.

Inside the namespaces a public address lies on the loopback device and a hosts file of its own names it, so that the
service resolves and connects as on the internet. Nothing outside the namespaces is changed or asked.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from api.client import Client, LearnerSession
from api.proving.world import PUBLIC, name_addresses
from tests.conftest import new_learner, serving
from tests.support import inspection, library, residue
from tests.support.service import Service
from tests.support.sites import Site, page, redirect

INSIDE = "inside.example"


class Markers:
    """Words that must be nowhere in the end: one in the text, one in the path, one in the host."""

    def __init__(self) -> None:
        self.text, self.path, self.host = residue.new_marker(), residue.new_marker(), residue.new_marker()

    @property
    def site(self) -> str:
        return f"{self.host}.example"

    def sought(self) -> dict[str, str]:
        return {"text": self.text, "path": self.path, "host": self.host}


def main() -> None:
    """Build the world, run the service in it and print the outcome."""
    markers = Markers()
    with tempfile.TemporaryDirectory() as folder:
        name_addresses(Path(folder) / "hosts", {markers.site: PUBLIC, INSIDE: "127.0.0.1"})
        article = f"/{markers.path}.html"
        site = Site(
            {
                article: page(_article(markers.text), "Set-Cookie: who=you"),
                "/away": redirect(article),
                "/address": redirect("http://127.0.0.1/"),
                "/name": redirect(f"http://{INSIDE}/"),
                "/paper.pdf": page(library.pdf(library.ENGLISH).data, media_type="application/pdf"),
            },
            address=(PUBLIC, 80),
        )
        canary = Site({"/": page(b"<p>inside</p>")}, address=("127.0.0.1", 80))
        with serving(MAYFLY_LINKS_ALLOWED="true") as service, Client(service.url) as client:
            outcome = _visit(service, client, markers)
        outcome["requests"] = [request.decode() for request in site.requests]
        outcome["connected_inside"] = canary.connections
    print(json.dumps(outcome))  # noqa: T201  # This is a program, and its answer.


def _article(marker: str) -> bytes:
    text = f"The {marker} is a bird that nests only in the bell tower of the old observatory."
    return f"<html><head><title>Birds</title></head><body><article><p>{text}</p></article></body></html>".encode()


def _visit(service: Service, client: Client, markers: Markers) -> dict[str, Any]:
    session = new_learner(client)
    paths = {
        "article": f"/{markers.path}.html",
        **{name: f"/{name}" for name in ("away", "address", "name")},
        "pdf": "/paper.pdf",
    }
    outcome: dict[str, Any] = {
        "documents": {name: _document(session, f"http://{markers.site}{path}") for name, path in paths.items()},
        "passages": [passage.text for passage in session.ask(f"Where does the {markers.text} nest?").passages],
        "export": service.client(session.signed_in.token).get("/v1/accounts/me/export").json()["documents"],
        "assurance": client.assurance()["links_allowed"],
        "session_id": session.session_id,
        "link": f"http://{markers.site}/{markers.path}.html",
        "marker": markers.text,
    }
    outcome["memory_before"] = _in_memory(service, markers)
    control = service.folder / "control"
    control.write_text(" ".join(markers.sought().values()), encoding="ascii")
    outcome["files_before"] = _in_files(service, markers)
    control.unlink()
    session.sign_out()
    outcome["memory_after"] = _in_memory(service, markers)
    outcome["files_after"] = _in_files(service, markers)
    outcome["searched"] = [" ".join(process.cmdline()) for process in inspection.processes(service)]
    return outcome


def _document(session: LearnerSession, url: str) -> dict[str, Any]:
    document = session.wait(session.link(url).document_id)
    return {"status": document.status, "error": document.error, "stages": list(document.timings)}


def _in_memory(service: Service, markers: Markers) -> dict[str, list[str]]:
    processes = inspection.processes(service)
    return {kind: list(residue.in_memory(processes, marker)) for kind, marker in markers.sought().items()}


def _in_files(service: Service, markers: Markers) -> dict[str, list[str]]:
    folders, processes = inspection.folders(service), inspection.processes(service)
    return {
        kind: [Path(hit).name for hit in residue.in_files(folders, marker)] + residue.in_open_files(processes, marker)
        for kind, marker in markers.sought().items()
    }


if __name__ == "__main__":
    main()
