"""The command line ``mayfly``.

Owns what is typed and what is printed. Imports of the service, the model and the record happen inside the commands, so
that ``mayfly --help`` is quick.
"""

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from collections.abc import Generator

    from rich.console import Console

    from api.proving.deployment import Deployment
    from api.receipts import PublishedKey
    from api.settings import Settings
    from models.database import Database

REFUSED, USAGE, UNREACHABLE, INVALID_RECEIPT, DOCUMENT_FAILED, NOT_PROVEN = 1, 2, 3, 4, 5, 6

EXIT_CODES = (
    "Exit codes: 0 done, 1 the service refused, 2 the command or a setting is wrong, 3 no service could be reached or "
    "started, 4 a receipt or a log is not valid, 5 a document could not be read, 6 something was found or could not be "
    "searched."
)

app = typer.Typer(
    name="mayfly",
    help="Retrieval over documents that vanish with the learner's session.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # Its tracebacks show the values of variables.
)
models = typer.Typer(no_args_is_help=True, help="The embedding model.")
app.add_typer(models, name="models")


@app.command()
def serve() -> None:
    """Serve until stopped. Settings come from the environment; see docs/settings.md."""
    from api.launcher import launch

    raise typer.Exit(launch(_settings()))


@app.command()
def migrate() -> None:
    """Bring the database to the newest form; needs to be run by hand only where `serve` may not."""
    from models.database import Database, DatabaseRefused
    from models.scenarios.service import seed

    settings = _settings()
    try:
        database = Database(settings.resolved_database_url, ca_file=settings.database_ca_file)
        database.migrate()
        with database.transaction() as db:
            seed(db)
    except DatabaseRefused as refusal:
        _fail(USAGE, f"The database is refused: {refusal}.")
    typer.echo("The database has the newest form.")


_BackupKey = Annotated[
    Path | None, typer.Option(help="The key: 32 bytes, mode 0600. [default: backup-key in the data folder]")
]


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="The file to write.")], key: _BackupKey = None) -> None:
    """Write the whole record, as it is at this moment, into a sealed file. The service may go on meanwhile."""
    from api.backup import load_key, save

    settings = _settings()
    with _explained_record(), _record(settings) as database:
        counts = save(database, load_key(key or settings.data_dir / "backup-key", make=True), file)
    typer.echo(f"Backed up {sum(counts.values())} rows. Keep the key apart from the file: without it nothing opens.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The backup.")], key: _BackupKey = None
) -> None:
    """Fill an empty record from a backup, all or nothing. Sessions of that time are ended, each with a receipt."""
    from api.backup import bring_back, load_key, without_erasure_key
    from models.accounts.erasure_keys import ErasureKeys
    from models.receipts.signing import Signer

    settings = _settings()
    with _explained_record(), _record(settings) as database:
        database.migrate()
        signer = Signer.load(settings.key_file("receipt-key"))
        counts = bring_back(database, load_key(key or settings.data_dir / "backup-key", make=False), file, signer)
        closed = without_erasure_key(database, ErasureKeys(settings.erasure_keys))
    typer.echo(f"Restored {sum(counts.values())} rows.")
    if closed:
        typer.echo(f"Nobody can sign in to {closed} of the accounts: their erasure keys are not here.", err=True)


@app.command()
def disclose(
    learner: Annotated[
        str,
        typer.Argument(help="The account's id or e-mail address; - reads it from standard input, unseen by others."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Print everything an operator could reveal of a learner: each row of the record, sealed texts as sealed."""
    import msgspec

    from api.disclosure import NoRecordKey, as_text
    from api.disclosure import disclose as disclose_learner

    settings = _settings()
    who = sys.stdin.read().strip() if learner == "-" else learner
    with _explained_record(), _record(settings) as database:
        try:
            told = disclose_learner(settings, database, who)
        except NoRecordKey:
            _fail(USAGE, "The record key is not there, so addresses cannot be looked up: give the account's id.")
    typer.echo(msgspec.json.encode(told).decode() if as_json else as_text(told))


@app.command()
def rotate_receipt_key() -> None:
    """Sign receipts with a new key from now on; the old one signs that it took over. The service may go on."""
    from models.keyfile import KeyFileRefused
    from models.receipts.keys import rotate

    settings = _settings()
    try:
        with _record(settings) as database:
            rotated = rotate(database, settings.key_file("receipt-key"))
    except KeyFileRefused as refusal:
        _fail(USAGE, f"Refused: {refusal}.")
    typer.echo(f"The key {rotated.old} is succeeded by {rotated.new}. Back the new one up.")


@models.command()
def prepare() -> None:
    """Check the configured model and bring it into the form that is served. Downloads nothing."""
    from vectorstore.models import UnreadableModel
    from vectorstore.models import prepare as prepare_model

    settings = _settings()
    try:
        prepared = prepare_model(settings.embedding.model, settings.model_dir, backend=settings.embedding.backend)
    except UnreadableModel as refusal:
        _fail(USAGE, f"The model is refused: {refusal}.")
    typer.echo(f"The model is ready in {prepared.folder}.")


@app.command()
def verify_receipt(
    file: Annotated[Path, typer.Argument(help="The receipt, as JSON; - reads it from standard input.")],
    key: Annotated[
        str | None, typer.Option(help="The public key: a file or URL. [default: that of the service on this machine]")
    ] = None,
    document: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="A file that it should be about; needs --nonce.")
    ] = None,
    nonce: Annotated[str | None, typer.Option(help="The commitment_nonce that its upload was answered with.")] = None,
) -> None:
    """Say whether a receipt is genuine and unchanged, whether the log has its end, and whether it is about a file."""
    from api.receipts import check, is_about, says_of_residue
    from models.receipts.signing import ReceiptInvalid

    receipt = sys.stdin.buffer.read() if str(file) == "-" else _bytes_of(file)
    try:
        place = check(receipt, _published_key(key))
    except ReceiptInvalid as invalid:
        _fail(INVALID_RECEIPT, f"The receipt is NOT valid: {invalid}.")
    if (document is None) != (nonce is None):
        _fail(USAGE, "--document and --nonce go together.")
    if document is not None and nonce is not None and not is_about(receipt, _bytes_of(document), nonce):
        _fail(INVALID_RECEIPT, "The receipt is valid, and NOT about this document with this nonce.")
    typer.echo("The receipt is valid.")
    if document is not None:
        typer.echo("It is about this document.")
    if place is not None:
        typer.echo(f"The end of its session is entry {place.index} of {place.size} in {place.origin}.")
    found, words = says_of_residue(receipt)
    if words:
        typer.echo(words)
    if found:
        _fail(NOT_PROVEN, f"It says that RESIDUE WAS FOUND: {found}. See docs/adr/0018-live-tracer.md.")


@app.command()
def audit_log(
    url: Annotated[str, typer.Argument(help="The service whose log it is.")],
    key: Annotated[str | None, typer.Option(help="The public key: a file or URL. [default: that of the URL]")] = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="The checkpoint of the last audit, which the log must continue; renewed.")
    ] = None,
) -> None:
    """Replay the whole public log: is it what was signed, does it only grow, did every session end in time?"""
    from api.audit import LogRefuted, audit
    from api.client import Client
    from models.database import now

    keys = _published_key(key or url).trusted
    earlier = _bytes_of(checkpoint).decode() if checkpoint is not None and checkpoint.exists() else None
    with Client(url) as client:
        note = client.checkpoint()
        try:
            found = audit(note, client.entries, keys=keys, moment=now(), earlier=earlier)
        except LogRefuted as refuted:
            _fail(INVALID_RECEIPT, f"The log is REFUTED: {refuted}.")
    if checkpoint is not None:
        checkpoint.write_text(note, encoding="utf-8")
    typer.echo(
        f"{found.checkpoint.origin}: {found.starts} sessions started, {found.ends} ended, {found.open_starts} are open,"
        f" {len(found.overdue)} are overdue, {len(found.late)} ended late, {len(found.unstarted)} have no start,"
        f" {len(found.residue)} left residue."
    )
    if found.residue:
        _fail(NOT_PROVEN, "RESIDUE WAS FOUND of some sessions: see docs/adr/0018-live-tracer.md.")
    if not found.is_clean:
        _fail(INVALID_RECEIPT, "Some sessions did not end in time: see docs/adr/0013-receipts.md.")


@app.command()
def demo(
    files: Annotated[list[Path], typer.Argument(exists=True, dir_okay=False, help="Documents to upload.")],
    ask: Annotated[list[str], typer.Option(help="A question; may be given several times.")],
    url: Annotated[str | None, typer.Option(help="A running service. [default: a throw-away one]")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")] = False,
) -> None:
    """Show a whole session: sign in, upload, ask, sign out, and check the receipt."""
    import msgspec
    from rich.console import Console

    from api.client import Client
    from api.demo import tell
    from api.throw_away import throw_away_service

    console = Console(stderr=as_json, highlight=False)
    with contextlib.ExitStack() as running:
        address = url or running.enter_context(throw_away_service(console)).url
        client = running.enter_context(Client(address))
        story = tell(client, files, ask, console)
    if as_json:
        typer.echo(msgspec.json.encode(story))
    if not story.receipt_is_valid:
        raise typer.Exit(INVALID_RECEIPT)
    if any(document.status == "failed" for document in story.documents):
        raise typer.Exit(DOCUMENT_FAILED)


@app.command()
def prove(
    url: Annotated[
        str | None, typer.Argument(help="The service on this machine. [default: as the settings say]")
    ] = None,
    throw_away: Annotated[bool, typer.Option("--throw-away", help="Search a service made for this run.")] = False,
    sessions: Annotated[int, typer.Option(min=0, help="Short sessions that come and go first.")] = 12,
    page: Annotated[Path | None, typer.Option(help="Also write the sheet to this file, as Markdown.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the sheet as JSON on standard output.")] = False,
) -> None:
    """Search this machine for what ended sessions left: files, databases, logs, memory. Needs rights to read them."""
    import msgspec
    from rich.console import Console

    from api.proving.prove import prove as search
    from api.proving.sheet import page as as_page

    console = Console(stderr=True, highlight=False)
    with contextlib.ExitStack() as running:
        sheet = search(_deployment(url, running, console, throw_away=throw_away), console, sessions=sessions)
    if page is not None:
        page.write_text(as_page(sheet), encoding="utf-8")
    typer.echo(msgspec.json.encode(sheet) if as_json else as_page(sheet))
    if not sheet.holds:
        raise typer.Exit(NOT_PROVEN)


def main() -> None:
    """Run the command line and exit with a documented code."""
    try:
        app()
    except Exception as error:
        code, message = _explained(error)
        if code is None:
            raise
        typer.echo(message, err=True)
        sys.exit(code)


@contextlib.contextmanager
def _record(settings: "Settings") -> "Generator[Database]":
    from models.database import Database

    database = Database(settings.resolved_database_url, ca_file=settings.database_ca_file)
    try:
        yield database
    finally:
        database.dispose()


@contextlib.contextmanager
def _explained_record() -> "Generator[None]":
    """Say in a sentence why the record cannot be read, backed up or restored."""
    from models.backup import BackupRefused
    from models.database import DatabaseRefused
    from models.keyfile import KeyFileRefused

    try:
        yield
    except FileExistsError:
        _fail(USAGE, "This file exists; a backup replaces none.")
    except (BackupRefused, DatabaseRefused, KeyFileRefused) as refusal:
        _fail(USAGE, f"Refused: {refusal}.")
    except OSError as error:
        _fail(USAGE, f"The file cannot be written or read: {error.strerror}.")


def _deployment(
    url: str | None, running: contextlib.ExitStack, console: "Console", *, throw_away: bool
) -> "Deployment":
    """Return the service to be searched: one made for this run, or the one that the settings tell."""
    from api.proving.deployment import Deployment
    from api.proving.thrown_away import deployed

    settings = _settings()
    if throw_away:
        return running.enter_context(deployed(settings, console))
    return Deployment(url or f"http://{settings.host}:{settings.port}", settings)


def _explained(error: Exception) -> tuple[int | None, str]:  # noqa: PLR0911  # One return for each kind.
    from api.client import Problem, Unreachable
    from api.proving.deployment import NotAllowed, NotOnThisMachine
    from api.proving.visit import ScenarioFailed
    from api.throw_away import ServiceFailed
    from models.errors import MayflyError

    match error:
        case Problem():
            return REFUSED, f"The service refused ({error.status} {error.code}): {error.title}."
        case MayflyError():
            return REFUSED, f"{error.title} ({error.slug})."
        case Unreachable():
            return UNREACHABLE, "No service answers at this address."
        case NotOnThisMachine():
            return UNREACHABLE, "The service's sockets are not in MAYFLY_RUNTIME_DIR: it cannot be searched from here."
        case NotAllowed():
            return NOT_PROVEN, "Nothing was searched: the service's memory may be read by root only."
        case ScenarioFailed():
            return REFUSED, f"The service did not do its part: {error}."
        case ServiceFailed():
            return UNREACHABLE, f"The service could not be started. The end of its log:\n{error}"
        case _:
            return None, ""


def _settings() -> "Settings":
    from pydantic import ValidationError

    from api.settings import Settings

    try:
        return Settings()
    except ValidationError as error:
        names = ("MAYFLY_" + "_".join(str(part) for part in fault["loc"]).upper() for fault in error.errors())
        _fail(USAGE, f"These settings are not valid: {', '.join(sorted(names))}. See docs/settings.md.")


def _published_key(source: str | None) -> "PublishedKey":
    """Read a published key from a file, or from a service whose address may end with the key's own path."""
    import msgspec

    from api.client import Client
    from api.receipts import PublishedKey

    if source is not None and not source.startswith(("http://", "https://")):
        try:
            return msgspec.json.decode(_bytes_of(Path(source)), type=PublishedKey)
        except msgspec.DecodeError:
            _fail(USAGE, "This file is not a key as GET /v1/receipts/key publishes it.")
    settings = _settings()
    address = source or f"http://{settings.host}:{settings.port}"
    with Client(address.removesuffix("/v1/receipts/key")) as client:
        return client.receipt_key()


def _bytes_of(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        _fail(USAGE, f"{file} cannot be read: {error.strerror}.")


def _fail(code: int, message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
