"""All settings, read once from the environment (prefix ``MAYFLY_``) in ``create_app`` and the launcher.

A nested field is named by its area: ``MAYFLY_SESSIONS_IDLE_SECONDS`` is ``settings.sessions.idle_seconds``. Every
setting is described in ``docs/settings.md``; a test compares the two.
"""

import os
import sys
import urllib.parse
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from platformdirs import user_data_path
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.content import Rerank

MIB = 1024 * 1024


class _Area(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SessionSettings(_Area):
    """How long sessions live and how many may."""

    idle_seconds: Annotated[int, Field(ge=1, le=86_400)] = 30 * 60
    absolute_seconds: Annotated[int, Field(ge=1, le=86_400)] = 12 * 3600
    per_account: Annotated[int, Field(ge=1, le=100)] = 3
    capacity: Annotated[int, Field(ge=1, le=10_000)] = 100
    sweep_seconds: Annotated[float, Field(gt=0, le=30)] = 2.0
    grant_ttl_seconds: Annotated[int, Field(ge=10, le=900)] = 120
    tracer: bool = True
    memory_search_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0


class UploadSettings(_Area):
    """What one upload and one session may hold."""

    file_bytes: Annotated[int, Field(ge=1, le=100 * MIB)] = 25 * MIB
    files: Annotated[int, Field(ge=1, le=1000)] = 20
    session_bytes: Annotated[int, Field(ge=1, le=1024 * MIB)] = 100 * MIB
    idle_seconds: Annotated[float, Field(gt=0, le=300)] = 30.0
    total_seconds: Annotated[float, Field(gt=0, le=3600)] = 300.0
    resume_seconds: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    queue_files: Annotated[int, Field(ge=1, le=10_000)] = 100
    queue_bytes: Annotated[int, Field(ge=1)] = 1024 * MIB


class IngestSettings(_Area):
    """What one document may cost."""

    pages: Annotated[int, Field(ge=1, le=5000)] = 500
    pixels: Annotated[int, Field(ge=1)] = 40_000_000
    chunks: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    text_bytes: Annotated[int, Field(ge=1, le=64 * MIB)] = 16 * MIB
    document_seconds: Annotated[int, Field(ge=1, le=3600)] = 60
    memory_bytes: Annotated[int, Field(ge=256 * MIB)] = 2048 * MIB
    jails: Annotated[int, Field(ge=1, le=256)] = max(1, os.cpu_count() or 1)
    chunk_tokens: Annotated[int, Field(ge=32, le=480)] = 224
    ocr_dpi: Annotated[int, Field(ge=72, le=400)] = 250
    ocr_page_seconds: Annotated[int, Field(ge=1, le=300)] = 30
    ocr_seconds: Annotated[int, Field(ge=1, le=7200)] = 900
    ocr_workers: Annotated[int, Field(ge=1, le=256)] = max(1, os.cpu_count() or 1)
    archive_entries: Annotated[int, Field(ge=1, le=10_000)] = 2_000
    archive_bytes: Annotated[int, Field(ge=MIB, le=1024 * MIB)] = 200 * MIB
    archive_ratio: Annotated[int, Field(ge=10, le=1_000)] = 200
    cells: Annotated[int, Field(ge=1, le=2_000_000)] = 200_000
    depth: Annotated[int, Field(ge=16, le=250)] = 200
    tags: Annotated[int, Field(ge=1_000, le=500_000)] = 50_000


class LinkSettings(_Area):
    """Whether links are fetched, and what one may cost. Off by default: the site learns that somebody asked."""

    allowed: bool = False
    fetches: Annotated[int, Field(ge=1, le=64)] = 4
    bytes: Annotated[int, Field(ge=1, le=100 * MIB)] = 10 * MIB
    seconds: Annotated[float, Field(gt=0, le=120)] = 20.0
    redirects: Annotated[int, Field(ge=0, le=10)] = 3


class EmbeddingSettings(_Area):
    """Which model makes vectors, and with how many threads.

    ``model`` is ``packaged`` (multilingual-e5-small from the installed package), a folder, or an installed model
    package.
    """

    model: str = "packaged"
    backend: Literal["auto", "onnx", "sentence-transformers"] = "auto"
    threads: Annotated[int, Field(ge=1, le=256)] = max(1, os.cpu_count() or 1)
    queue_texts: Annotated[int, Field(ge=16)] = 4096


class SearchSettings(_Area):
    """How passages are found.

    ``rerank`` is the second stage: none, or a cross-encoder from the folder ``rerank_model``, for which a question
    waits ``rerank_seconds`` at most.
    """

    rerank: Rerank = "none"
    rerank_model: Path | None = None
    rerank_seconds: Annotated[float, Field(gt=0, le=15)] = 2.0


class EndpointSettings(_Area):
    """A server of the operator's own that makes the vectors, in OpenAI's form. Off without ``url``: texts go there.

    ``max_tokens`` is its model's window. The key is a file, and plain http reaches this machine only unless allowed.
    """

    url: str | None = None
    model: str = "default"
    key_file: Path | None = None
    ca_file: Path | None = None
    allow_http: bool = False
    max_tokens: Annotated[int, Field(ge=64, le=131_072)] = 512
    tokenizer_file: Path | None = None
    query_prefix: str | None = None
    passage_prefix: str | None = None
    seconds: Annotated[float, Field(gt=0, le=18)] = 15.0  # Who waits for a question's vector waits 20.

    @property
    def origin(self) -> str | None:
        """The scheme, host and port that texts go to."""
        if self.url is None:
            return None
        parts = urllib.parse.urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


class AccountSettings(_Area):
    """Passwords and sign-in. Argon2id parameters follow RFC 9106; memory is in KiB."""

    argon2_memory_kib: Annotated[int, Field(ge=8, le=1_048_576)] = 65_536
    argon2_passes: Annotated[int, Field(ge=1, le=16)] = 2
    concurrent_hashes: Annotated[int, Field(ge=1, le=64)] = 2
    sign_ins_per_minute: Annotated[int, Field(ge=1)] = 10
    sign_ups_per_hour: Annotated[int, Field(ge=1)] = 300
    queries_per_minute: Annotated[int, Field(ge=1)] = 120


class BudgetSettings(_Area):
    """What may be spent a month on the services the tutor calls, in the deployment's currency; nothing is no limit."""

    account_monthly: Annotated[Decimal | None, Field(ge=0, max_digits=15, decimal_places=6)] = None
    deployment_monthly: Annotated[Decimal | None, Field(ge=0, max_digits=15, decimal_places=6)] = None
    warn_percent: Annotated[int, Field(ge=1, le=100)] = 80


class LogSettings(_Area):
    """What is logged, and how it looks."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "json"


class Settings(BaseSettings):
    """Everything an operator can change."""

    model_config = SettingsConfigDict(
        env_prefix="MAYFLY_", env_nested_delimiter="_", env_nested_max_split=1, frozen=True, extra="forbid"
    )

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65_535)] = 8000
    data_dir: Path = Field(default_factory=lambda: user_data_path("mayfly"))
    runtime_dir: Path = Field(
        default_factory=lambda: default_runtime_dir()  # noqa: PLW0108  # It is defined below.
    )
    model_dir: Path = Field(default_factory=lambda: Path(sys.prefix) / "share" / "mayfly" / "models")
    database_url: SecretStr | None = None
    database_url_file: Path | None = None
    database_ca_file: Path | None = None
    hook_secret_file: Path | None = None
    receipt_key_file: Path | None = None
    record_key_file: Path | None = None
    erasure_keys_dir: Path | None = None
    trusted_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    allow_weak_host: bool = False
    allow_weak_jail: bool = False

    sessions: SessionSettings = SessionSettings()
    uploads: UploadSettings = UploadSettings()
    ingest: IngestSettings = IngestSettings()
    links: LinkSettings = LinkSettings()
    embedding: EmbeddingSettings = EmbeddingSettings()
    search: SearchSettings = SearchSettings()
    endpoint: EndpointSettings = EndpointSettings()
    accounts: AccountSettings = AccountSettings()
    budgets: BudgetSettings = BudgetSettings()
    log: LogSettings = LogSettings()

    @model_validator(mode="after")
    def _chunks_fit_the_window(self) -> Self:
        if self.endpoint.url is not None and self.ingest.chunk_tokens > self.endpoint.max_tokens:
            raise ValueError("ingest.chunk_tokens is more than endpoint.max_tokens")
        return self

    @model_validator(mode="after")
    def _a_cross_encoder_has_a_folder(self) -> Self:
        if self.search.rerank == "cross-encoder" and self.search.rerank_model is None:
            raise ValueError("search.rerank is cross-encoder, and search.rerank_model names no folder")
        return self

    @cached_property
    def resolved_database_url(self) -> str:
        """The URL SQLAlchemy is given; without a setting, SQLite in the data directory."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        if self.database_url_file is not None:
            return self.database_url_file.read_text(encoding="utf-8").strip()
        return f"sqlite:///{self.data_dir / 'record.sqlite'}"

    def key_file(self, name: Literal["hook-secret", "receipt-key", "record-key", "node-id"]) -> Path:
        """Where a long-lived secret of this machine lies: where its setting says, else in the data directory."""
        chosen = {"hook-secret": self.hook_secret_file, "receipt-key": self.receipt_key_file}
        return (chosen | {"record-key": self.record_key_file}).get(name) or self.data_dir / name

    @property
    def erasure_keys(self) -> Path:
        """Where the erasure keys of all accounts lie: where their setting says, else in the data directory."""
        return self.erasure_keys_dir or self.data_dir / "erasure-keys"

    @cached_property
    def sockets(self) -> "Sockets":
        """Where the processes of this machine listen."""
        return Sockets(self.runtime_dir)


class Sockets:
    """The layout of the runtime directory."""

    def __init__(self, runtime_dir: Path) -> None:
        self.host = runtime_dir / "host.sock"
        self.embedder = runtime_dir / "embedder.sock"
        self.jailer = runtime_dir / "jailer.sock"
        self.fetcher = runtime_dir / "fetcher.sock"
        self.sessions = runtime_dir / "sessions"
        self.quarantine = runtime_dir / "quarantine"
        self.temporary = runtime_dir / "tmp"


def default_runtime_dir() -> Path:
    """Return a private folder on a RAM disk: the user's own if the system made one, else one in shared memory."""
    user_runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(user_runtime) / "mayfly" if user_runtime else Path("/dev/shm") / f"mayfly-{os.getuid()}"  # noqa: S108
