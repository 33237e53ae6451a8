"""What this host really guarantees, looked up when asked and never assumed."""

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from api import weaknesses
from api.resources import Resources
from api.schemas.operations import (
    Assurance,
    CoreDumps,
    DatabaseAtRest,
    Encryption,
    Jail,
    Model,
    Process,
    Reranker,
    Storage,
)
from models import at_rest
from models.errors import MayflyError
from processes import hardening
from processes.hardening import Hardening

_VERSIONED = (
    "mayfly",
    "chromadb",
    "onnxruntime",
    "pypdf",
    "pypdfium2",
    "pillow",
    "cryptography",
    "fastapi",
    "sqlalchemy",
)


def assurance(resources: Resources) -> Assurance:
    """Return what holds on this host right now; a part that does not answer leaves its place empty."""
    settings = resources.settings
    own = hardening.state()
    processes = _processes(resources, own)
    return Assurance(
        runtime_directory=storage(settings.runtime_dir),
        temporary_directory=storage(settings.sockets.temporary),
        data_directory=storage(settings.data_dir),
        swap_active=weaknesses.swap_active(),
        memory_scrubbed_on_free=own.scrubbing_allocator,
        private_umask=own.umask == 0o077,
        core_dumps=CoreDumps(
            dumpable=own.dumpable, limit_bytes=own.core_limit_bytes, possible=own.dumpable or own.core_limit_bytes != 0
        ),
        processes=processes,
        failpoints_off=_failpoints_off(processes.values()),
        weaknesses=_weaknesses(resources),
        weak_host_allowed=settings.allow_weak_host,
        jail=_jail(resources),
        sessions_without_network=_sessions_without_network(resources),
        links_allowed=settings.links.allowed,
        encryption=_encryption(resources),
        model=_model(resources),
        reranker=_reranker(resources),
        receipt_key_id=resources.signer.key_id,
        versions=versions(),
    )


def storage(folder: Path) -> Storage:
    """Return the file system a folder lies on."""
    filesystem = weaknesses.filesystem_of(folder)
    return Storage(filesystem=filesystem, ram_backed=filesystem in weaknesses.RAM_FILESYSTEMS)


def versions() -> dict[str, str]:
    """Return the versions of what touches content. Reads package metadata; imports nothing."""
    return {name: metadata.version(name) for name in _VERSIONED}


def _processes(resources: Resources, own: Hardening) -> dict[str, Process | None]:
    return {"front": _process(own), "host": _host(resources), "embedder": _embedder(resources)}


def _host(resources: Resources) -> Process | None:
    try:
        return _process(resources.host.hello().hardening)
    except MayflyError:
        return None


def _embedder(resources: Resources) -> Process | None:
    try:
        return _process(resources.embedder.ping())
    except MayflyError:
        return None


def _process(state: Hardening) -> Process:
    return Process(
        dumpable=state.dumpable,
        core_limit_bytes=state.core_limit_bytes,
        private_umask=state.umask == 0o077,
        memory_scrubbed_on_free=state.scrubbing_allocator,
        only_installed_code=not state.foreign_code,
    )


def _failpoints_off(processes: Iterable[Process | None]) -> bool | None:
    """Say whether no process has loaded anything that tests break a service with; ``None`` if one does not answer."""
    answers = [process and process.only_installed_code for process in processes]
    return None if None in answers else all(answers)


def _weaknesses(resources: Resources) -> list[str] | None:
    try:
        parts = weaknesses.of_parts(resources.host.hello().hardening, resources.embedder.ping())
    except MayflyError:
        return None
    return [*weaknesses.of_host(resources.settings), *parts]


def _jail(resources: Resources) -> Jail | None:
    try:
        walls = resources.jail.level()
    except MayflyError:
        return None
    allowed = resources.settings.allow_weak_jail
    return Jail(level=walls.level, walls=walls.names, kept_by=walls.kept_by, weak_allowed=allowed)


def _sessions_without_network(resources: Resources) -> bool | None:
    try:
        return resources.host.hello().sessions_without_network
    except MayflyError:
        return None


def _model(resources: Resources) -> Model | None:
    try:
        card = resources.embedder.card()
    except MayflyError:
        return None
    return Model(
        name=card.name,
        backend=card.backend,
        sha256=card.sha256,
        dimensions=card.dim,
        window_tokens=card.max_tokens,
        endpoint=resources.settings.endpoint.origin,
    )


def _reranker(resources: Resources) -> Reranker | None:
    try:
        judge = resources.embedder.judge()
    except MayflyError:
        return None
    return None if judge is None else Reranker(name=judge.name, sha256=judge.sha256, window_tokens=judge.max_tokens)


def _encryption(resources: Resources) -> Encryption:
    return Encryption(
        uploads="AES-256-GCM in segments, a one-time key per file that only its session process holds",
        names_in_the_record="AES-256-GCM under the learner's key, wrapped by his password or his recovery code, each "
        "together with a key outside the database that is destroyed with the account",
        database_connection="tls" if resources.database.uses_tls else "local",
        database_at_rest=_database_at_rest(resources),
    )


def _database_at_rest(resources: Resources) -> DatabaseAtRest | None:
    try:
        found = at_rest.look(resources.database)
    except MayflyError:
        return None
    return DatabaseAtRest(
        engine=found.engine,
        encrypted=not found.in_the_clear and not found.clear_tablespaces,
        in_the_clear=list(found.in_the_clear),
        clear_tablespaces=found.clear_tablespaces,
        statement_logs=list(found.statement_logs),
    )
