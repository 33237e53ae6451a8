"""What is left of one learner's documents after a service was told to delete them: ours, and one as many are written.

``python -m benchmarks.residue [--notes 100] [--page FILE]`` prints JSON. Both get the same notes and one question, then
their own delete; the same scanner searches their files and the memory of their processes from outside, before and
after. Hits are fragments of twelve letters or 32 bytes of a vector. Needs root, and the environment that
``benchmarks/peers/make-venv langchain`` makes.
"""

import argparse
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import psutil

from api.settings import Settings
from benchmarks.machine import describe
from benchmarks.systems.langchain import ENVIRONMENT, LangChain
from benchmarks.systems.ours import Ours
from proof.needles import Needle, new_marker, of_text, of_vector
from proof.scan import Scanner
from tests.support.library import Upload
from vectorstore import models
from vectorstore.embedder import Vectors

_VECTORS = 10
_PEER_VECTORS = """
import json, sys
import numpy as np
from langchain_huggingface import HuggingFaceEmbeddings
kwargs = {"prompt": "passage: ", "normalize_embeddings": True}
texts = json.load(sys.stdin)
vectors = HuggingFaceEmbeddings(model_name=sys.argv[1], encode_kwargs=kwargs).embed_documents(texts)
sys.stdout.buffer.write(np.array(vectors, np.float32).tobytes())
"""


class Residue(msgspec.Struct, frozen=True):
    """Hits in one place of one system, before its delete and after it."""

    system: str
    place: str
    kind: str
    before: int
    after: int


def measure(system: Ours | LangChain, notes: int) -> list[Residue]:
    """Start a system, give it notes, search it, have it delete them, and search it again."""
    marker = new_marker()
    texts = [f"The {marker} is a bird that nests in bell tower number {number}." for number in range(notes)]
    system.start()
    try:
        shelf = system.shelf()
        shelf.upload([Upload(f"{number}.txt", "text/plain", text.encode()) for number, text in enumerate(texts)])
        shelf.caller().ask("Where does the bird nest?")
        scanner = Scanner([*of_text("text", marker), *_vector_needles(system, texts[:_VECTORS])])
        before = _search(system, scanner)
        shelf.purge()
        after = _search(system, scanner)
    finally:
        system.stop()
    places = [(place, kind) for place in ("files", "memory") for kind in ("text", "vectors")]
    return [Residue(system.name, place, kind, before[place, kind], after[place, kind]) for place, kind in places]


def page(rows: Sequence[Residue], notes: int) -> str:
    """Return the table as Markdown."""
    lines = [f"| {row.system} | {row.place} | {row.kind} | {row.before} | {row.after} |" for row in rows]
    head = "| System | Place | What | Before its delete | After |\n|---|---|---|---|---|"
    return "\n".join([f"# What is left after a delete\n\n{_INTRODUCTION.format(notes=notes)}\n\n{head}", *lines]) + "\n"


_INTRODUCTION = (
    "Made by `python -m benchmarks.residue`; do not edit. {notes} notes of one sentence and one question, then the\n"
    "delete of each. *Before*, ours lies in a process that its delete kills. Files are all below a system's folders."
)


def _vector_needles(system: Ours | LangChain, texts: Sequence[str]) -> list[Needle]:
    vectors = _peer_vectors(texts) if isinstance(system, LangChain) else _own_vectors(texts)
    return [needle for vector in vectors for needle in of_vector("vectors", vector) if needle.form != "decimal"]


def _own_vectors(texts: Sequence[str]) -> Vectors:
    return models.load(models.prepare("packaged", Settings().model_dir), threads=1).embed_passages(texts)


def _peer_vectors(texts: Sequence[str]) -> Vectors:
    """Let the peer's own libraries make the vectors, one text a call, as they come out a little different elsewhere."""
    folder = models.prepare("packaged", Settings().model_dir, backend="sentence-transformers").folder
    command = [str(ENVIRONMENT / "bin/python"), "-c", _PEER_VECTORS, str(folder)]
    made = subprocess.run(command, input=msgspec.json.encode(texts), capture_output=True, check=True)
    return np.frombuffer(made.stdout, np.float32).reshape(len(texts), -1)


def _search(system: Ours | LangChain, scanner: Scanner) -> Counter[tuple[str, str]]:
    found = Counter[tuple[str, str]]()
    for hits in scanner.in_files(system.folders()).values():
        _add(found, "files", hits)
    for root in system.roots():
        for process in (root, *root.children(recursive=True)):
            try:
                _add(found, "memory", scanner.in_memory(process))
            except psutil.NoSuchProcess:
                continue  # A jail that has read its document.
    return found


def _add(found: Counter[tuple[str, str]], place: str, hits: Counter[tuple[str, str]]) -> None:
    for (kind, _), count in hits.items():
        found[place, kind] += count


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--notes", type=int, default=100)
    parser.add_argument("--page", type=Path)
    wish = parser.parse_args()
    rows = [row for system in (Ours(), LangChain()) for row in measure(system, wish.notes)]
    if wish.page is not None:
        wish.page.write_text(page(rows, wish.notes), encoding="utf-8")
    sys.stdout.buffer.write(msgspec.json.encode({"machine": describe(), "notes": wish.notes, "rows": rows}) + b"\n")


if __name__ == "__main__":
    main()
