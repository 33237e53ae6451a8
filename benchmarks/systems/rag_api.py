"""rag_api over HTTP, from a folder of its source that the caller brings: it is in no package registry."""

import os
import secrets
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import psutil

from api.settings import Settings
from benchmarks.machine import commit, versions_in
from benchmarks.systems.system import CHARACTERS, REQUEST_SECONDS, RESULTS, Asker, Caller, Program, folder_bytes
from tests.support.library import Upload
from tests.support.service import free_port
from vectorstore import models

ENVIRONMENT = Path("build/peers/rag-api").resolve()
_SCRIPT = Path("benchmarks/peers/rag_api_service.py").resolve()
_DATA = "data"
_PACKAGES = (
    "langchain", "langchain-core", "langchain-community", "langchain-huggingface", "pgvector", "pgserver",
    "sentence-transformers", "transformers", "torch", "pypdf", "fastapi",
)  # fmt: skip
_UPLOADS_AT_ONCE = 2


class RagApi:
    """Its own defaults, but for the model, the size of a chunk, and the indexes without which its filters scan."""

    name = "rag_api"

    def __init__(self, source: Path) -> None:
        self._source = source.resolve()
        self._model = models.prepare("packaged", Settings().model_dir, backend="sentence-transformers").folder
        self._program: Program | None = None
        self._url = ""

    def start(self) -> None:
        port = free_port()
        self._url = f"http://127.0.0.1:{port}"
        settings = {
            "RAG_HOST": "127.0.0.1",
            "RAG_PORT": str(port),
            "EMBEDDINGS_PROVIDER": "huggingface",
            "EMBEDDINGS_MODEL": str(self._model),
            "CHUNK_SIZE": str(CHARACTERS),
            "CHUNK_OVERLAP": "0",
            "PGVECTOR_CREATE_LEGACY_INDEXES": "True",
            "HF_HUB_OFFLINE": "1",
            "TRANSFORMERS_OFFLINE": "1",
        }
        arguments = [ENVIRONMENT / "bin/python", _SCRIPT, self._source, _DATA]
        self._program = Program([str(each) for each in arguments], os.environ | settings, health=f"{self._url}/health")
        self._program.wait_until_ready()

    def stop(self) -> None:
        if self._program is not None:
            self._program.stop()

    def shelf(self) -> "RagApiShelf":
        return RagApiShelf(self._url)

    def roots(self) -> list[psutil.Process]:
        assert self._program is not None
        postgres = int((self._program.folder / _DATA / "postgres.pid").read_text(encoding="ascii"))
        return [psutil.Process(self._program.process.pid), psutil.Process(postgres)]

    def installed_bytes(self) -> int | None:
        return folder_bytes(ENVIRONMENT) + folder_bytes(self._model)

    def versions(self) -> dict[str, str]:
        return {"rag_api": commit(self._source)} | versions_in(ENVIRONMENT, _PACKAGES)


class RagApiShelf:
    """Some file ids: it knows no other unit."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._files: list[str] = []

    def upload(self, files: Sequence[Upload]) -> int:
        """Send each file in a request of its own, two at once; how many chunks they make it does not tell."""
        with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as threads:
            self._files += threads.map(self._upload, files)
        return 0

    def _upload(self, file: Upload) -> str:
        name = secrets.token_hex(8)
        parts = {"file": (file.name, file.data, file.media_type)}
        fields = {"file_id": name}
        reply = httpx2.post(f"{self._url}/embed", data=fields, files=parts, timeout=REQUEST_SECONDS, trust_env=False)
        assert reply.raise_for_status().json()["status"]
        return name

    def caller(self) -> Asker:
        return _RagApiAsker(Caller(self._url), self._files)

    def purge(self) -> None:
        Caller(self._url).call("DELETE", "/documents", self._files)


class _RagApiAsker:
    def __init__(self, caller: Caller, files: list[str]) -> None:
        self._caller = caller
        self._files = files

    def ask(self, question: str, *, results: int = RESULTS) -> list[str]:
        body: dict[str, Any] = {"query": question, "k": results, "file_ids": self._files}
        return [document["page_content"] for document, _distance in self._caller.call("POST", "/query_multiple", body)]
