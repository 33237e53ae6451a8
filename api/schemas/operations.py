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
    ocr_page_seconds: int
    ocr_seconds: int
    archive_entries: int
    archive_bytes: int
    archive_ratio: int
    cells_per_document: int
    nesting_depth: int
    tags_per_page: int
    upload_idle_seconds: float
    upload_total_seconds: float
    upload_resume_seconds: float
    queue_files: int
    queue_bytes: int
    idle_timeout_seconds: int
    absolute_timeout_seconds: int
    sessions_per_account: int
    grant_ttl_seconds: int
    sign_ins_per_minute: int
    sign_ups_per_hour: int
    queries_per_minute: int
    json_body_bytes: int
    question_characters: int
    max_top_k: int
    min_grant_ttl_seconds: int
    max_grant_ttl_seconds: int
    sessions_per_machine: int
    links_allowed: bool
    link_bytes: int
    link_seconds: float
    link_redirects: int
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


class Process(Outgoing):
    """How one process of the service is hardened, by its own account."""

    dumpable: bool
    core_limit_bytes: int
    private_umask: bool
    memory_scrubbed_on_free: bool
    only_installed_code: bool


class Jail(Outgoing):
    """The walls around a parser that withstood an attempt to break out when the jailer started.

    ``full``: namespaces keep network, processes and files away, and a filter refuses what a parser never needs of the
    kernel. ``reduced``: this machine forbids a namespace, and the filter and Landlock stand in for it. ``none``: a
    parser could reach what it must not; the service starts only where its operator allowed that, which
    ``weak_allowed`` tells. ``kept_by`` names for each wall what keeps it up.
    """

    level: Literal["full", "reduced", "none"]
    walls: list[str]
    kept_by: dict[str, list[str]]
    weak_allowed: bool


class DatabaseAtRest(Outgoing):
    """What the database writes to its disk in the clear, by its own word at this moment.

    ``encrypted`` is true only where nothing is. ``clear_tablespaces`` counts table files that are not encrypted yet; it
    is null on SQLite, which encrypts nothing, and where the service's account has no right to look. ``statement_logs``
    are logs that repeat statements; there should be none.
    """

    engine: Literal["sqlite", "mariadb"]
    encrypted: bool
    in_the_clear: list[str]
    clear_tablespaces: int | None
    statement_logs: list[str]


class Encryption(Outgoing):
    """What is encrypted, how, and who holds the key."""

    uploads: str
    names_in_the_record: str
    database_connection: Literal["local", "tls"]
    database_at_rest: DatabaseAtRest | None


class Model(Outgoing):
    """The embedding model, by the hash of its weights.

    With an ``endpoint``, texts leave the service for that address, and the hash is that of the address and the name.
    """

    name: str
    backend: str
    sha256: str
    dimensions: int
    window_tokens: int
    endpoint: str | None


class Reranker(Outgoing):
    """The cross-encoder that puts passages in order, by the hash of its weights. It changes no relevance."""

    name: str
    sha256: str
    window_tokens: int


class Assurance(Outgoing):
    """What this host really guarantees, read from the kernel and the other processes when asked.

    What a part would have told is null while it does not answer. A host with ``weaknesses`` serves only when its
    operator allowed it.
    """

    runtime_directory: Storage
    temporary_directory: Storage
    data_directory: Storage
    swap_active: bool
    memory_scrubbed_on_free: bool
    private_umask: bool
    core_dumps: CoreDumps
    processes: dict[str, Process | None]
    failpoints_off: bool | None
    weaknesses: list[str] | None
    weak_host_allowed: bool
    jail: Jail | None
    sessions_without_network: bool | None
    links_allowed: bool
    encryption: Encryption
    model: Model | None
    reranker: Reranker | None
    receipt_key_id: str
    versions: dict[str, str]
