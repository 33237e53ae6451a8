"""What this host really guarantees, looked up when asked and never assumed."""

from importlib import metadata
from pathlib import Path

from api.resources import Resources
from api.schemas.operations import Assurance, CoreDumps, Encryption, Jail, Model, Storage
from models.errors import MayflyError
from processes import hardening

_RAM_FILESYSTEMS = frozenset({"tmpfs", "ramfs"})
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
    return Assurance(
        runtime_directory=storage(settings.runtime_dir),
        temporary_directory=storage(settings.sockets.temporary),
        data_directory=storage(settings.data_dir),
        swap_active=swap_active(),
        memory_scrubbed_on_free=own.scrubbing_allocator,
        private_umask=own.umask == 0o077,
        core_dumps=CoreDumps(
            dumpable=own.dumpable, limit_bytes=own.core_limit_bytes, possible=own.dumpable or own.core_limit_bytes != 0
        ),
        jail=_jail(resources),
        sessions_without_network=_sessions_without_network(resources),
        encryption=_encryption(resources),
        model=_model(resources),
        receipt_key_id=resources.signer.key_id,
        versions=versions(),
    )


def storage(folder: Path) -> Storage:
    """Return the file system a folder lies on, by the longest mount point above it."""
    place = folder.resolve()
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [(len(mount[1]), mount[2]) for mount in mounts if place.is_relative_to(mount[1].replace("\\040", " "))]
    filesystem = max(above, default=(0, "unknown"))[1]
    return Storage(filesystem=filesystem, ram_backed=filesystem in _RAM_FILESYSTEMS)


def swap_active() -> bool:
    """Say whether the kernel may write memory to a swap area."""
    return len(Path("/proc/swaps").read_text().splitlines()) > 1


def versions() -> dict[str, str]:
    """Return the versions of what touches content. Reads package metadata; imports nothing."""
    return {name: metadata.version(name) for name in _VERSIONED}


def _jail(resources: Resources) -> Jail | None:
    try:
        return Jail(walls=resources.jail.level().split())
    except MayflyError:
        return None


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
        name=card.name, backend=card.backend, sha256=card.sha256, dimensions=card.dim, window_tokens=card.max_tokens
    )


def _encryption(resources: Resources) -> Encryption:
    return Encryption(
        uploads="AES-256-GCM in segments, a one-time key per file that only its session process holds",
        names_in_the_record="AES-256-GCM under the learner's key, wrapped by his password and his recovery code",
        database_connection="tls" if resources.database.uses_tls else "local",
    )
