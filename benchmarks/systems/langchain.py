"""The plain LangChain service of ``benchmarks/peers/langchain_service.py``, over HTTP."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path

import httpx2
import psutil

from api.settings import Settings
from benchmarks.machine import versions_in
from benchmarks.systems.system import CHARACTERS, REQUEST_SECONDS, RESULTS, Asker, Caller, Program, folder_bytes
from tests.support.library import Upload
from tests.support.service import free_port
from vectorstore import models

ENVIRONMENT = Path("build/peers/langchain").resolve()
_SCRIPT = Path("benchmarks/peers/langchain_service.py").resolve()
_PACKAGES = (
    "langchain-chroma", "langchain-core", "langchain-huggingface", "langchain-text-splitters", "chromadb",
    "sentence-transformers", "transformers", "torch", "pypdf", "fastapi",
)  # fmt: skip


class LangChain:
    """A server of its own with the same weights in float32, as a sentence-transformers folder."""

    name = "langchain-chroma"

    def __init__(self) -> None:
        prepared = models.prepare("packaged", Settings().model_dir, backend="sentence-transformers")
        self._model = prepared.folder
        self._program: Program | None = None
        self._url = ""

    def start(self) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        data = f"data-{secrets.token_hex(4)}"  # In the program's own folder.
        arguments = [ENVIRONMENT / "bin/python", _SCRIPT, self._model, data, port, CHARACTERS]
        environment = os.environ | {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "ANONYMIZED_TELEMETRY": "False"}
        self._program = Program([str(each) for each in arguments], environment, health=f"{self._url}/health")
        self._program.wait_until_ready()

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()

    def shelf(self) -> "LangChainShelf":
        return LangChainShelf(self._url, f"shelf-{secrets.token_hex(8)}")

    def roots(self) -> list[psutil.Process]:
        assert self._program is not None
        return [psutil.Process(self._program.process.pid)]

    def folders(self) -> list[Path]:
        """Return where its files are."""
        assert self._program is not None
        return [self._program.folder]

    def installed_bytes(self) -> int | None:
        return folder_bytes(ENVIRONMENT) + folder_bytes(self._model)

    def versions(self) -> dict[str, str]:
        return versions_in(ENVIRONMENT, _PACKAGES)


class LangChainShelf:
    """One collection."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._path = f"/shelves/{name}"

    def upload(self, files: Sequence[Upload]) -> int:
        parts = [("file", (file.name, file.data, file.media_type)) for file in files]
        reply = httpx2.post(f"{self._url}{self._path}/documents", files=parts, timeout=REQUEST_SECONDS, trust_env=False)
        return int(reply.raise_for_status().json()["chunks"])

    def caller(self) -> Asker:
        return _LangChainAsker(Caller(self._url), self._path)

    def purge(self) -> None:
        Caller(self._url).call("DELETE", self._path)


class _LangChainAsker:
    def __init__(self, caller: Caller, path: str) -> None:
        self._caller = caller
        self._path = path

    def ask(self, question: str, *, results: int = RESULTS) -> list[str]:
        answer = self._caller.call("POST", f"{self._path}/queries", {"question": question, "results": results})
        return [passage["text"] for passage in answer["passages"]]
