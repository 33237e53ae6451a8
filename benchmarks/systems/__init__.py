"""Services that do the same work over HTTP: ours, and those it is held against."""

import os
from pathlib import Path

from benchmarks.systems import langchain, rag_api
from benchmarks.systems.ours import Ours
from benchmarks.systems.system import System

MADE = "made-from"  # What ``make-venv`` writes last.


def available() -> tuple[list[System], list[str]]:
    """Return the services that can run here, ours first, and for each of the others why it cannot."""
    systems: list[System] = [Ours()]
    missing: list[str] = []
    if (langchain.ENVIRONMENT / MADE).exists():
        systems.append(langchain.LangChain())
    else:
        missing.append("langchain-chroma: run benchmarks/peers/make-venv langchain")
    source = os.environ.get("RAG_API")
    if source and (rag_api.ENVIRONMENT / MADE).exists():
        systems.append(rag_api.RagApi(Path(source)))
    else:
        missing.append(
            "rag_api: get its source, then RAG_API=FOLDER benchmarks/peers/make-venv rag-api, and RAG_API=FOLDER"
        )
    return systems, missing
