"""The pipeline thread, with a pipeline whose every outcome the test decides."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingestion.quarantine import Quarantine, SealedFile
from sessions.documents import Document
from sessions.limits import SessionLimits
from sessions.messages import DocumentState
from sessions.workspace import Workspace, WorkspaceConfig


def document(folder: Path, name: str) -> Document:
    state = DocumentState(
        document_id=name,
        filename=f"{name}.txt",
        sealed_filename=b"",
        media_type=None,
        bytes=1,
    )
    return Document(state, Quarantine(folder, "session").create(), None)


def test_a_file_that_cannot_be_destroyed_keeps_no_later_document_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = WorkspaceConfig(
        session_id="session",
        quarantine_dir=str(tmp_path),
        jailer_socket="none",
        embedder_socket="none",
        limits=SessionLimits(),
    )
    workspace: Any = Workspace(config)

    def fail(*_: object, **__: object) -> None:
        raise OSError

    workspace._pipeline = SimpleNamespace(ingest=fail)
    monkeypatch.setattr(SealedFile, "destroy", fail)
    threading.Thread(target=workspace._work, daemon=True).start()

    workspace.shelf.place([document(tmp_path, name) for name in ("a", "b")])

    for name in ("a", "b"):
        state = workspace.shelf.state(name)
        while state.status != "failed":
            before, state = state, workspace.shelf.watch(name, state.version, 60)
            assert state.version > before.version, f"{name} is still {state.status}"
        assert state.error == "internal_error"
