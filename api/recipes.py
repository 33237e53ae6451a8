"""How each process of the service is started: its module, environment and configuration."""

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from api.children import Recipe
from api.preparation import Prepared
from api.settings import Settings
from ingestion.limits import JailLimits
from processes.hardening import child_environment

if TYPE_CHECKING:  # It brings libraries that only the embedder needs.
    from vectorstore.endpoint import EndpointConfig


def recipes(settings: Settings, prepared: Prepared, listener: int, *, tracer_secret: bytes = b"") -> tuple[Recipe, ...]:
    """Return the recipes in the order of starting.

    ``listener`` is the descriptor of the front's listening socket; without a ``tracer_secret`` there are no tracers.
    """
    fetcher = (_fetcher(settings),) if settings.links.allowed else ()
    host, front = _host(settings, tracer_secret), _front(settings, listener, tracer_secret)
    return (_embedder(settings), _jailer(settings, prepared), *fetcher, host, front)


def _embedder(settings: Settings) -> Recipe:
    from vectorstore.server import EmbedderConfig

    config = EmbedderConfig(
        socket=str(settings.sockets.embedder),
        model=settings.embedding.model,
        model_dir=str(settings.model_dir),
        backend=settings.embedding.backend,
        threads=settings.embedding.threads,
        queue_texts=settings.embedding.queue_texts,
        endpoint=endpoint_config(settings),
        cross_encoder=cross_encoder(settings),
    )
    return Recipe(
        name="embedder",
        module="vectorstore.server",
        environment=_environment(settings, scrubbing=True),
        config=msgspec.json.encode(config),
        socket=settings.sockets.embedder,
    )


def endpoint_config(settings: Settings) -> "EndpointConfig | None":
    """Return what is to be known of the endpoint that makes vectors, or ``None`` without one."""
    from vectorstore.endpoint import EndpointConfig

    chosen = settings.endpoint
    if chosen.url is None:
        return None
    return EndpointConfig(
        url=chosen.url,
        model=chosen.model,
        max_tokens=chosen.max_tokens,
        max_seconds=chosen.seconds,
        key_file=_path(chosen.key_file),
        ca_file=_path(chosen.ca_file),
        tokenizer_file=_path(chosen.tokenizer_file),
        query_prefix=chosen.query_prefix or "",
        passage_prefix=chosen.passage_prefix or "",
        allow_http=chosen.allow_http,
    )


def cross_encoder(settings: Settings) -> str | None:
    """Return the folder of the cross-encoder, or ``None`` where none is asked for."""
    return _path(settings.search.rerank_model) if settings.search.rerank == "cross-encoder" else None


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _jailer(settings: Settings, prepared: Prepared) -> Recipe:
    from ingestion.jailer import JailerConfig

    config = JailerConfig(
        socket=str(settings.sockets.jailer),
        tokenizer_file=prepared.tokenizer_file,
        passage_prefix=prepared.passage_prefix,
        jails=settings.ingest.jails,
        limits=jail_limits(settings),
        least="none" if settings.allow_weak_jail else "reduced",
    )
    return Recipe(
        name="jailer",
        module="ingestion.jailer",
        environment=_environment(settings, scrubbing=False),
        config=msgspec.json.encode(config),
        socket=settings.sockets.jailer,
    )


def _fetcher(settings: Settings) -> Recipe:
    from ingestion.fetch.worker import FetcherConfig

    links = settings.links
    config = FetcherConfig(
        socket=str(settings.sockets.fetcher),
        fetches=links.fetches,
        max_bytes=min(links.bytes, settings.uploads.file_bytes),
        max_seconds=links.seconds,
        redirects=links.redirects,
    )
    return Recipe(
        name="fetcher",
        module="ingestion.fetch.worker",
        environment=_environment(settings, scrubbing=True),
        config=msgspec.json.encode(config),
        socket=settings.sockets.fetcher,
    )


def _host(settings: Settings, tracer_secret: bytes) -> Recipe:
    from sessions.host import HostConfig
    from sessions.limits import SessionLimits

    uploads = settings.uploads
    config = HostConfig(
        socket=str(settings.sockets.host),
        sessions_dir=str(settings.sockets.sessions),
        quarantine_dir=str(settings.sockets.quarantine),
        jailer_socket=str(settings.sockets.jailer),
        embedder_socket=str(settings.sockets.embedder),
        capacity=settings.sessions.capacity,
        limits=SessionLimits(
            files=uploads.files,
            file_bytes=uploads.file_bytes,
            session_bytes=uploads.session_bytes,
            chunks=settings.ingest.chunks,
            queue_files=uploads.queue_files,
            queue_bytes=uploads.queue_bytes,
            resume_seconds=uploads.resume_seconds,
        ),
        fetcher_socket=str(settings.sockets.fetcher) if settings.links.allowed else None,
        rerank=settings.search.rerank,
        rerank_seconds=settings.search.rerank_seconds,
        tracer_secret=tracer_secret,
    )
    return Recipe(
        name="host",
        module="sessions.host",
        environment=_environment(settings, scrubbing=False),
        config=msgspec.json.encode(config),
        socket=settings.sockets.host,
    )


def _front(settings: Settings, listener: int, tracer_secret: bytes) -> Recipe:
    return Recipe(
        name="front",
        module="api.front",
        environment=child_environment(settings.sockets.temporary, scrubbing=True, with_settings=True),
        config=tracer_secret,
        arguments=("--socket", str(listener)),
        descriptors=(listener,),
    )


def jail_limits(settings: Settings) -> JailLimits:
    """Return what one document may cost."""
    ingest = settings.ingest
    return JailLimits(
        pages=ingest.pages,
        pixels=ingest.pixels,
        chunks=ingest.chunks,
        text_bytes=ingest.text_bytes,
        document_seconds=ingest.document_seconds,
        memory_bytes=ingest.memory_bytes,
        chunk_tokens=ingest.chunk_tokens,
        ocr_dpi=ingest.ocr_dpi,
        ocr_page_seconds=ingest.ocr_page_seconds,
        ocr_seconds=ingest.ocr_seconds,
        ocr_workers=ingest.ocr_workers,
        archive_entries=ingest.archive_entries,
        archive_bytes=ingest.archive_bytes,
        archive_ratio=ingest.archive_ratio,
        cells=ingest.cells,
        depth=ingest.depth,
        tags=ingest.tags,
    )


def _environment(settings: Settings, *, scrubbing: bool) -> dict[str, str]:
    return child_environment(settings.sockets.temporary, scrubbing=scrubbing)
