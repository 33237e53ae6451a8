"""Limits, health and assurance."""

from typing import Literal

from api.schemas import Outgoing


class Limits(Outgoing):
    """What this service allows; a refusal names its limit by a code of docs/problems.md."""

    file_bytes: int
    files_per_session: int
    session_bytes: int
    pages_per_document: int
    pixels_per_image: int
    chunks_per_session: int
    text_bytes_per_document: int
    document_seconds: int
    upload_idle_seconds: float
    upload_total_seconds: float
    queue_files: int
    queue_bytes: int
    idle_timeout_seconds: int
    absolute_timeout_seconds: int
    sessions_per_account: int
    grant_ttl_seconds: int
    sign_ins_per_minute: int
    sign_ups_per_hour: int
    queries_per_minute: int
    media_types: list[str]


class Alive(Outgoing):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(Outgoing):
    """Every part answers and the start-up sweep is done."""

    status: Literal["ready"] = "ready"


class Storage(Outgoing):
    """Where something lies."""

    filesystem: str
    ram_backed: bool


class CoreDumps(Outgoing):
    """Whether the kernel could write this process's memory to disk when it crashes."""

    dumpable: bool
    limit_bytes: int
    possible: bool


class Jail(Outgoing):
    """The walls around a parser that hold on this machine."""

    walls: list[str]


class Encryption(Outgoing):
    """What is encrypted, how, and who holds the key."""

    uploads: str
    names_in_the_record: str
    database_connection: Literal["local", "tls"]


class Model(Outgoing):
    """The embedding model, by the hash of its weights."""

    name: str
    backend: str
    sha256: str
    dimensions: int
    window_tokens: int


class Assurance(Outgoing):
    """What this host really guarantees, read from the kernel and the other processes when asked."""

    runtime_directory: Storage
    temporary_directory: Storage
    data_directory: Storage
    swap_active: bool
    memory_scrubbed_on_free: bool
    private_umask: bool
    core_dumps: CoreDumps
    jail: Jail | None
    sessions_without_network: bool | None
    encryption: Encryption
    model: Model | None
    receipt_key_id: str
    versions: dict[str, str]
