"""A plain service as many are written: FastAPI, LangChain, Chroma on disk, sentence-transformers. For comparison only.

``python langchain_service.py MODEL_FOLDER DATA_FOLDER PORT CHARACTERS`` in the environment that ``make-venv
langchain`` makes. Defaults of the libraries stay, but for the folder, the prompts that the model wants and the size of
a chunk. A shelf is a Chroma collection; one that was opened stays open.
"""

import io
import sys
from contextlib import suppress
from functools import cache
from typing import Any

import uvicorn
from chromadb.config import Settings
from fastapi import FastAPI, UploadFile
from langchain_chroma import Chroma  # type: ignore[reportMissingImports] - not in our environment.
from langchain_huggingface import HuggingFaceEmbeddings  # type: ignore[reportMissingImports]
from langchain_text_splitters import RecursiveCharacterTextSplitter  # type: ignore[reportMissingImports]
from pydantic import BaseModel
from pypdf import PdfReader

model_folder, data_folder, port, characters = sys.argv[1:]
app = FastAPI()
embeddings: Any = HuggingFaceEmbeddings(
    model_name=model_folder,
    encode_kwargs={"prompt": "passage: ", "normalize_embeddings": True},
    query_encode_kwargs={"prompt": "query: ", "normalize_embeddings": True},
)
splitter: Any = RecursiveCharacterTextSplitter(chunk_size=int(characters), chunk_overlap=0)


class Question(BaseModel):
    """One question to one shelf."""

    question: str
    results: int


@cache
def shelf(name: str) -> Any:
    settings = Settings(anonymized_telemetry=False)
    return Chroma(name, embeddings, persist_directory=data_folder, client_settings=settings)


def texts_of(file: UploadFile) -> list[str]:
    data = file.file.read()
    if file.content_type == "application/pdf":
        return [page.extract_text() for page in PdfReader(io.BytesIO(data)).pages]
    return [data.decode()]


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "up"}


@app.post("/shelves/{name}/documents")
def upload(name: str, file: list[UploadFile]) -> dict[str, int]:
    chunks = [chunk for each in file for text in texts_of(each) for chunk in splitter.split_text(text)]
    place = shelf(name)
    for start in range(0, len(chunks), 5000):  # Chroma takes no more at once.
        place.add_texts(chunks[start : start + 5000])
    return {"chunks": len(chunks)}


@app.post("/shelves/{name}/queries")
def ask(name: str, question: Question) -> dict[str, list[dict[str, Any]]]:
    found = shelf(name).similarity_search_with_score(question.question, k=question.results)
    return {"passages": [{"text": document.page_content, "score": float(score)} for document, score in found]}


@app.delete("/shelves/{name}")
def purge(name: str) -> dict[str, str]:
    with suppress(ValueError):
        shelf(name).delete_collection()
    return {"status": "deleted"}


if __name__ == "__main__":
    embeddings.embed_query("")
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_level="warning")
