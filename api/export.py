"""Everything durable about an account, across the record's domains, with names opened by the live session."""

from api.dependencies import LearnersSession
from api.resources import Resources
from api.schemas import accounts as wire
from api.schemas.receipts import Receipt
from models.accounts import service as account_record
from models.documents import service as document_record
from models.documents.service import DocumentInfo
from models.receipts import service as receipt_record
from models.sessions import service as session_record
from sessions.messages import FILENAME_PURPOSE, SOURCE_LINK_PURPOSE, SealedText


def export(resources: Resources, session: LearnersSession) -> wire.Export:
    """Return all rows of the session's account. The session process opens the names: only it has the learner's key."""
    with resources.database.transaction() as db:
        account = account_record.get(db, session.user_id)
        sessions = session_record.of_user(db, session.user_id)
        documents = document_record.of_user(db, session.user_id)
        receipts = [receipt_record.of_session(db, info.session_id) for info in sessions]
    sealed = [
        SealedText(purpose=account_record.USERNAME_PURPOSE, sealed=account.sealed_username),
        SealedText(purpose=account_record.EMAIL_PURPOSE, sealed=account.sealed_email),
        *(SealedText(purpose=FILENAME_PURPOSE, sealed=info.facts.sealed_filename or b"") for info in documents),
        *(SealedText(purpose=SOURCE_LINK_PURPOSE, sealed=info.facts.sealed_source_link or b"") for info in documents),
    ]
    username, email, *names = session.client.unseal(sealed)
    filenames, links = names[: len(documents)], names[len(documents) :]
    return wire.Export(
        user_id=account.user_id,
        username=username,
        email=email,
        primary_language=account.primary_language,
        target_languages=list(account.target_languages),
        created_on=account.created_on,
        sessions=[wire.ExportedSession.model_validate(info, from_attributes=True) for info in sessions],
        documents=[_document(*facts) for facts in zip(documents, filenames, links, strict=True)],
        receipts=[Receipt.of(receipt) for receipt in receipts if receipt is not None],
    )


def _document(info: DocumentInfo, filename: str | None, source_link: str | None) -> wire.ExportedDocument:
    facts = info.facts
    return wire.ExportedDocument(
        document_id=facts.content_id,
        session_id=info.session_id,
        file_type=facts.media_type,
        bytes=facts.size_bytes,
        pages=facts.pages,
        ocr_pages=facts.ocr_pages,
        chunks=facts.chunks,
        attachments=facts.attachments,
        language=facts.language,
        status=facts.status,
        error=facts.error,
        uploaded_at=info.upload_time,
        filename=filename,
        source_link=source_link,
    )
