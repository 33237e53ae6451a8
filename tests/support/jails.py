"""A real jailer process for tests, and the documents that nobody on this project wrote."""

import csv
import json
import os
import re
import subprocess
import tempfile
import unicodedata
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import psutil

from ingestion.jail import ExtractRequest, JailClient, Job, OnProgress
from ingestion.level import Grade
from ingestion.limits import JailerConfig, JailLimits
from models.content import Extraction
from processes.hardening import child_environment
from tests.support.embedders import prepared
from tests.support.without import command
from vectorstore.models import tokenizer_file
from vectorstore.tokens import TokenCounter

DOCUMENTS = Path(__file__).parents[3] / "shared" / "documents"
_BETWEEN_CJK = re.compile("(?<=[\u3000-\u30ff\u3400-\u9fff]) +(?=[\u3000-\u30ff\u3400-\u9fff])")


@dataclass(frozen=True, slots=True)
class Jailer:
    """A jailer at work."""

    client: JailClient
    socket: Path
    process: subprocess.Popen[bytes]
    lines: BinaryIO

    def told(self) -> dict[str, Any]:
        """Return the next line of its log; waits for it."""
        return json.loads(self.lines.readline())

    def extract(
        self,
        untrusted: bytes,
        name: str,
        *,
        media_type: str | None = None,
        languages: tuple[str, ...] = (),
        session: str = "session",
        job: Job | None = None,
        on_progress: OnProgress = lambda _stage, _done, _known: None,
    ) -> Extraction:
        """Have a document read."""
        request = ExtractRequest(
            session=session,
            size=len(untrusted),
            untrusted_filename=name,
            untrusted_media_type=media_type,
            languages=languages,
        )
        return self.client.extract(iter([untrusted]), request, on_progress=on_progress, job=job or Job())

    def descendants(self) -> list[psutil.Process]:
        """Return every process that hangs below the jailer."""
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def running_jailer(
    *, jails: int = 2, limits: JailLimits | None = None, without: tuple[str, ...] = (), least: Grade = "none"
) -> Generator[Jailer]:
    """Run ``python -m ingestion.jailer`` as the launcher does, in a folder of its own, without some system calls."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        socket = folder / "jailer.sock"
        config = JailerConfig(
            socket=str(socket),
            tokenizer_file=str(tokenizer_file(prepared())),
            passage_prefix=prepared().card.passage_prefix,
            jails=jails,
            limits=limits or JailLimits(),
            least=least,
        )
        arguments = command(without, ["-m", "ingestion.jailer"])
        ready, log = os.pipe()
        process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stderr=log, env=child_environment(folder, scrubbing=False)
        )
        os.close(log)
        assert process.stdin is not None
        with process.stdin as stdin:
            stdin.write(msgspec.json.encode(config))
        try:
            with os.fdopen(ready, "rb") as lines:
                first = lines.readline()
                assert b"jailer_ready" in first, first + lines.read()
                yield Jailer(JailClient(socket), socket, process, lines)
        finally:
            process.terminate()
            process.wait(timeout=60)


@cache
def token_counter() -> TokenCounter:
    """Return the packaged model's token counter."""
    return TokenCounter(tokenizer_file(prepared()), prefix=prepared().card.passage_prefix)


@dataclass(frozen=True, slots=True)
class Sample:
    """One line of the manifest."""

    file: str
    kind: str
    page: int | None
    must_contain: str

    @property
    def untrusted(self) -> bytes:
        """The document."""
        return (DOCUMENTS / self.file).read_bytes()


def manifest(*folders: str) -> list[Sample]:
    """Return the documents in these folders."""
    with (DOCUMENTS / "MANIFEST.tsv").open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines, delimiter="\t")
        return [
            Sample(row["file"], row["kind"], int(row["page"]) if row["page"] else None, row["must_contain"] or "")
            for row in rows
            if row["file"].partition("/")[0] in folders
        ]


def folded(text: str) -> str:
    """Return the text as the manifest wants it compared: NFKC, white space folded, none between CJK characters."""
    return _BETWEEN_CJK.sub("", " ".join(unicodedata.normalize("NFKC", text).split()))
