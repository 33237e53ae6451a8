"""What the record may know of a document that a session holds."""

from models.documents.service import Facts
from sessions.messages import DocumentState


def facts_of(state: DocumentState) -> Facts:
    """Return the content-free facts of a document; its name only sealed."""
    return Facts(
        content_id=state.document_id,
        media_type=state.media_type,
        size_bytes=state.bytes,
        status=state.status,
        pages=state.pages,
        ocr_pages=state.ocr_pages,
        chunks=state.chunks,
        attachments=state.attachments,
        language=state.language,
        error=state.error,
        sealed_filename=state.sealed_filename,
        sealed_source_link=state.sealed_source_link,
        commitment=state.commitment,
    )
