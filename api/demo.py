"""The first look: one learner's whole session against a real service, told on the screen as it happens.

Owns the story that ``mayfly demo`` tells.
"""

import json
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from api.client import Client, Document, LearnerSession, Receipt
from api.receipts import is_valid, says_of_residue
from api.throw_away import made_up_learner
from models.content import Answer

RELEVANCE_STYLE = {"high": "green", "medium": "yellow", "low": "red"}


class Answered(msgspec.Struct, frozen=True):
    """A question of the demonstration and its passages."""

    question: str
    answer: Answer

    def __repr__(self) -> str:
        return "<Answered>"


class Story(msgspec.Struct, frozen=True):
    """All that happened, for ``--json``."""

    documents: tuple[Document, ...]
    answers: tuple[Answered, ...]
    receipt: Receipt
    receipt_is_valid: bool

    def __repr__(self) -> str:
        return "<Story>"


def tell(client: Client, files: list[Path], questions: list[str], console: Console) -> Story:
    """Sign up, upload, ask, sign out and check the receipt; the account is erased at the end.

    Raises ``api.client.Problem`` when the service refuses; the session is signed out all the same.
    """
    learner = made_up_learner("demo")
    client.sign_up(learner)
    console.print("[bold]sign in[/]   an account with a random name and password")
    with client.sign_in(learner.email, learner.password) as session:
        documents = _upload(session, files, console)
        can_answer = any(document.status == "ready" for document in documents)
        answers = tuple(_ask(session, question, console) for question in questions if can_answer)
    receipt = session.sign_out()
    is_valid = _check(client, receipt, console)
    client.sign_in(learner.email, learner.password).erase_account()
    return Story(documents, answers, receipt, is_valid)


def _upload(session: LearnerSession, files: list[Path], console: Console) -> tuple[Document, ...]:
    queued = session.upload(*files)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bars:
        for document in queued:
            bar = bars.add_task(escape(document.filename), total=1.0)
            for step in session.watch(document.document_id):
                bars.update(bar, completed=step.progress)
    documents = tuple(session.document(document.document_id) for document in queued)
    for document in documents:
        console.print(f"[bold]upload[/]    {escape(document.filename)}: {_facts(document)}")
    return documents


def _facts(document: Document) -> str:
    if document.status == "failed":
        return f"[red]failed[/] ({document.error})"
    language = f", language {document.language}" if document.language else ""
    return f"{document.pages} pages, {document.chunks} chunks{language}"


def _ask(session: LearnerSession, question: str, console: Console) -> Answered:
    answer = session.ask(question)
    console.print(f"[bold]ask[/]       {escape(question)}  [dim]{answer.took_ms:.0f} ms[/]")
    for passage in answer.passages:
        style = RELEVANCE_STYLE[passage.relevance]
        place = f"{escape(passage.filename)}, page {passage.page}"
        console.print(f"  {passage.rank}  {place}  [{style}]{passage.relevance}[/]")
        console.print(Padding(f"[dim]{escape(_shortened(passage.text))}[/]", (0, 2, 0, 5)))
    if answer.nothing_relevant:
        console.print("  nothing relevant was found")
    return Answered(question, answer)


def _shortened(text: str, characters: int = 300) -> str:
    words = " ".join(text.split())
    return words if len(words) <= characters else words[:characters].rstrip() + " …"


def _check(client: Client, receipt: Receipt, console: Console) -> bool:
    valid = is_valid(receipt, client.receipt_key())
    verdict = "[green]its signature is valid[/]" if valid else "[red]its signature is NOT valid[/]"
    console.print(f"[bold]sign out[/]  the receipt of the purge; {verdict}")
    found, words = says_of_residue(receipt)
    if words:
        console.print(f"          {'[red]residue was found[/] ' if found else ''}{escape(words)}")
    console.print(_laid_out(receipt), markup=False, highlight=False, soft_wrap=True)
    return valid


def _laid_out(value: object, indent: str = "", *, depth: int = 2) -> str:
    """Return JSON with a line for each field of the receipt and for each step, short enough for a screen."""
    if not isinstance(value, dict | list) or depth < 0 or not value:
        return json.dumps(value)
    inner = indent + "  "
    if isinstance(value, list):
        flat = all(isinstance(item, str) for item in value)
        return json.dumps(value) if flat else _lines("[]", [_laid_out(item, depth=-1) for item in value], indent)
    return _lines("{}", [f"{json.dumps(k)}: {_laid_out(v, inner, depth=depth - 1)}" for k, v in value.items()], indent)


def _lines(brackets: str, items: list[str], indent: str) -> str:
    body = ",\n".join(f"{indent}  {item}" for item in items)
    return f"{brackets[0]}\n{body}\n{indent}{brackets[1]}"
