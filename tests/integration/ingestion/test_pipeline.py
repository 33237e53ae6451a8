"""From sealed bytes to a passage that is found, through the real jailer, embedder and collection."""

import os
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingestion.jail import Cancelled, JailClient, Job
from ingestion.pipeline import Advance, Incoming, Pipeline, Texts
from ingestion.quarantine import Quarantine, SealedFile
from models.errors import MayflyError, ParserFailed, Unsupported
from tests.support.embedders import embedder_process
from tests.support.freezing import freeze
from tests.support.jails import Jailer, manifest, running_jailer
from vectorstore.client import EmbedderClient
from vectorstore.collection import Collection
from vectorstore.highlight import highlights
from vectorstore.quote import quote
from vectorstore.ranking import NO_WORDS


@dataclass(frozen=True, slots=True)
class Parts:
    jailer: Jailer
    embedder: EmbedderClient
    embedder_process: subprocess.Popen[bytes]
    quarantine: Quarantine
    collection: Collection
    pipeline: Pipeline

    def seal(self, untrusted: bytes) -> SealedFile:
        sealed = self.quarantine.create()
        sealed.write(untrusted)
        sealed.close()
        return sealed

    def found(self, question: str) -> list[str]:
        vector = self.embedder.embed_query(question, session="s")
        return [hit.text for hit in self.collection.search(vector, 3)]


@pytest.fixture(scope="module")
def machine() -> Iterator[tuple[Jailer, Path, subprocess.Popen[bytes]]]:
    with (
        tempfile.TemporaryDirectory() as name,
        running_jailer() as jailer,
        embedder_process(Path(name)) as (socket, process),
    ):
        yield jailer, socket, process


@pytest.fixture
def parts(machine: tuple[Jailer, Path, subprocess.Popen[bytes]], tmp_path: Path) -> Parts:
    jailer, socket, process = machine
    embedder = EmbedderClient(socket)
    collection = Collection(embedder.card())
    pipeline = Pipeline(jailer.client, embedder, collection)
    return Parts(jailer, embedder, process, Quarantine(tmp_path, "s"), collection, pipeline)


def incoming(name: str, document_id: str = "d") -> Incoming:
    return Incoming(document_id, "s", name, None, ("en",))


def silent(_: Advance) -> None:
    """Take a report and do nothing with it."""


def test_a_document_can_be_found_and_its_sealed_file_is_gone(parts: Parts) -> None:
    sealed = parts.seal(b"# Birds\n\nThe bittern booms at dusk over the reed bed.\n\n# Fish\n\nPike hide in the weeds.")
    reports = list[Advance]()

    extraction = parts.pipeline.ingest(incoming("notes.md"), sealed, job=Job(), report=reports.append)

    assert "bittern" in parts.found("Which bird is heard in the evening?")[0]
    assert len(extraction.chunks) == 2
    assert Texts(extraction).texts[0].startswith("# Birds")
    assert not sealed.path.exists()
    assert list(dict.fromkeys(advance.stage for advance in reports)) == ["extracting", "chunking", "embedding"]
    assert all(0 <= advance.fraction <= 1 for advance in reports)


def test_a_refused_document_leaves_nothing(parts: Parts) -> None:
    sealed = parts.seal(b"MZ\x90\0 not what it seems")

    with pytest.raises(Unsupported):
        parts.pipeline.ingest(incoming("a.pdf"), sealed, job=Job(), report=silent)

    assert not sealed.path.exists()
    assert parts.found("anything") == []


def test_a_tampered_sealed_file_is_not_read(parts: Parts) -> None:
    sealed = parts.seal(b"The bittern booms.")
    sealed.path.write_bytes(bytes(40))

    with pytest.raises(MayflyError):
        parts.pipeline.ingest(incoming("a.txt"), sealed, job=Job(), report=silent)

    assert not sealed.path.exists()
    assert parts.found("bittern") == []


@pytest.mark.parametrize("stage", ["extracting", "embedding"])
def test_cancelling_at_any_stage_leaves_nothing(parts: Parts, stage: str) -> None:
    (sample,) = [sample for sample in manifest("pdf") if sample.file.endswith("pdflatex-4-pages.pdf")]
    sealed, job = parts.seal(sample.untrusted), Job()

    def cancel(now: Advance) -> None:
        if now.stage == stage:
            job.cancel()

    with pytest.raises(Cancelled):
        parts.pipeline.ingest(incoming("a.pdf"), sealed, job=job, report=cancel)

    assert not sealed.path.exists()
    assert parts.found("special content") == []


def test_cancelling_while_the_embedder_hangs_ends_the_wait_at_once(parts: Parts) -> None:
    sealed, job = parts.seal(b"The bittern booms at dusk."), Job()
    parts.embedder.card()
    outcome = list[Exception]()
    embedding = threading.Event()

    def report(now: Advance) -> None:
        if now.stage == "embedding":
            freeze(parts.embedder_process.pid)
            embedding.set()

    def ingest() -> None:
        try:
            parts.pipeline.ingest(incoming("a.txt"), sealed, job=job, report=report)
        except Cancelled as error:
            outcome.append(error)

    ingesting = threading.Thread(target=ingest, daemon=True)
    ingesting.start()
    try:
        assert embedding.wait(60)
        ingesting.join(0.3)
        assert ingesting.is_alive(), "it waits for the embedder"
        job.cancel()
        ingesting.join(60)  # It would wait for 120 seconds.
        assert len(outcome) == 1
    finally:
        os.kill(parts.embedder_process.pid, signal.SIGCONT)


def test_a_document_waits_for_a_jailer_that_restarts(parts: Parts, tmp_path: Path) -> None:
    """The launcher starts a jailer anew under the same address; meanwhile nothing listens there."""
    sealed = parts.seal(b"The bittern booms at dusk.")
    address = tmp_path / "jailer.sock"
    pipeline = Pipeline(JailClient(address), parts.embedder, parts.collection)
    started = threading.Event()
    ingesting = threading.Thread(
        target=lambda: pipeline.ingest(incoming("a.txt"), sealed, job=Job(), report=lambda *_: started.set())
    )

    ingesting.start()
    assert started.wait(60)
    address.symlink_to(parts.jailer.socket)
    ingesting.join(90)

    assert "bittern" in parts.found("bittern")[0]


def test_a_document_whose_jail_dies_fails_and_the_next_one_is_read(parts: Parts) -> None:
    broken, good = parts.seal(b"%PDF-1.7 broken"), parts.seal(b"The bittern booms.")

    with pytest.raises(ParserFailed):
        parts.pipeline.ingest(incoming("a.pdf"), broken, job=Job(), report=silent)
    parts.pipeline.ingest(incoming("b.txt", "e"), good, job=Job(), report=silent)

    assert "bittern" in parts.found("bittern")[0]


BURIED = (
    "The harbour master writes the hour of every ship into a green book. The lamps along the quay are lit at six. "
    "A bittern booms at dusk over the reed bed behind the old mill. The baker brings bread for the crews on Fridays. "
    "Rope is sold by the fathom in the shop beside the chapel, and tar by the barrel."
)


def test_sentences_get_vectors_of_their_own(parts: Parts) -> None:
    text = f"{BURIED}\n\n# Fish\n\nPike hide."

    parts.pipeline.ingest(incoming("notes.md"), parts.seal(text.encode()), job=Job(), report=silent)

    sentences = parts.collection.sentences("d")
    assert sentences is not None
    assert sentences.first.tolist() == [0, 5, 5], "five in the first chunk, and none where a chunk is one sentence"
    question = parts.embedder.embed_query("Which bird is heard in the evening?", session="s")
    cosines = sentences.cosines(0, question)
    assert cosines.argmax() == 2
    best = parts.collection.search(question, 2)[0]
    assert best.text == BURIED
    both = 0.3 * cosines.mean() + 0.7 * cosines.max()
    assert best.cosine == pytest.approx(both, abs=1e-3), "the whole chunk counts, and so does its best sentence"
    (span,) = highlights(quote([best], None, parts.collection.passage), question, NO_WORDS, parts.collection)
    assert span is not None
    assert parts.collection.passage("d", 1, span.start, span.end) == BURIED[BURIED.index("A bittern") :][:62]
