"""What can go wrong, by name.

An error carries a ``slug`` that is stable across versions and a fixed ``title`` for people; it knows no HTTP and
repeats no input. Errors cross process walls as their slug and are rebuilt by ``from_slug``.
"""

from typing import ClassVar


class MayflyError(Exception):
    """A refusal or failure with a stable name."""

    slug: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Something went wrong on our side; nothing was kept"

    def __init__(self, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(self.slug)
        self.retry_after_seconds = retry_after_seconds


# Families: the HTTP status of each is one line in api/problems.py.
class Invalid(MayflyError):
    """The request cannot be understood or breaks a rule of its own."""


class Unauthenticated(MayflyError):
    """Nobody valid is asking."""


class Forbidden(MayflyError):
    """The one asking is known and may not do this."""


class NotFound(MayflyError):
    """There is no such thing, for this one asking."""


class Conflict(MayflyError):
    """The request contradicts something that is already so."""


class Locked(MayflyError):
    """Somebody else is changing it right now."""


class TooLarge(MayflyError):
    """More than a limit allows."""


class Unsupported(MayflyError):
    """Something Mayfly does not read."""


class Unprocessable(MayflyError):
    """Well-formed, and still nothing can be made of it."""


class TooMany(MayflyError):
    """Later, please."""


class Unavailable(MayflyError):
    """A part that is needed is not there right now."""


class OutOfSpace(MayflyError):
    """The RAM disk or the database has no room."""


class InvalidRequest(Invalid):
    """The request does not have the documented form."""

    slug = "invalid_request"
    title = "The request does not have the documented form"


class DialogueRefused(Invalid):
    """The request carries what was said, which is not kept here."""

    slug = "dialogue_refused"
    title = "The request carries what was said in a conversation; only metadata is kept here"


class InvalidCredentials(Unauthenticated):
    """The e-mail address or the password is wrong."""

    slug = "invalid_credentials"
    title = "The e-mail address or the password is wrong"


class SessionExpired(Unauthenticated):
    """The token is unknown, or its session has ended."""

    slug = "session_expired"
    title = "The token is unknown, or its session has ended"


class NotAllowed(Forbidden):
    """The token may not do this."""

    slug = "not_allowed"
    title = "This token may not do this"


class NoSuchThing(NotFound):
    """There is no such thing here."""

    slug = "not_found"
    title = "There is no such thing here"


class AccountExists(Conflict):
    """An account with this e-mail address or user name exists."""

    slug = "account_exists"
    title = "An account with this e-mail address or user name exists"


class IdempotencyConflict(Conflict):
    """The same Idempotency-Key came with other content, or its first use is still under way."""

    slug = "idempotency_conflict"
    title = "The same Idempotency-Key came with other content, or its first use is still under way"


class OffsetConflict(Conflict):
    """The upload does not stand at this offset."""

    slug = "offset_conflict"
    title = "The upload does not stand at this offset"


class UploadLocked(Locked):
    """Another request is sending bytes of this upload."""

    slug = "upload_locked"
    title = "Another request is sending bytes of this upload"


class TooManySessions(Conflict):
    """The account has as many open sessions as it may."""

    slug = "too_many_sessions"
    title = "The account has as many open sessions as it may"


class FileTooLarge(TooLarge):
    """The file or the request is larger than allowed."""

    slug = "too_large"
    title = "The file or the request is larger than allowed"


class QuotaExceeded(TooLarge):
    """The session holds as much as it may."""

    slug = "quota_exceeded"
    title = "The session holds as much as it may"


class TooManyPages(TooLarge):
    """The document has more pages than allowed."""

    slug = "too_many_pages"
    title = "The document has more pages than allowed"


class TooManyPixels(TooLarge):
    """The picture has more pixels than allowed."""

    slug = "too_many_pixels"
    title = "The picture has more pixels than allowed"


class TooMuchText(TooLarge):
    """The document has more text than allowed."""

    slug = "too_much_text"
    title = "The document has more text than allowed"


class TooComplex(TooLarge):
    """The document has more parts, cells or levels than allowed."""

    slug = "too_complex"
    title = "The document has more parts, cells or levels than allowed"


class ExpandsTooMuch(TooLarge):
    """Unpacked, the file is larger than allowed."""

    slug = "expands_too_much"
    title = "Unpacked, the file is larger than allowed"


class UnsupportedType(Unsupported):
    """Mayfly does not read this kind of file."""

    slug = "unsupported_type"
    title = "Mayfly does not read this kind of file"


class TypeMismatch(Unsupported):
    """The file is not what its name or its declared type says, or is two things at once."""

    slug = "type_mismatch"
    title = "The file is not what its name or its declared type says, or is two things at once"


class LegacyOffice(Unsupported):
    """This is an old binary Office format."""

    slug = "legacy_office"
    title = "This is an old binary Office format"


class MacroDocument(Unsupported):
    """The document carries macros."""

    slug = "macro_document"
    title = "The document carries macros"


class NestedArchive(Unsupported):
    """There is an archive inside the archive."""

    slug = "nested_archive"
    title = "There is an archive inside the archive"


class MediaFile(Unsupported):
    """Audio and video are not read."""

    slug = "media_file"
    title = "Audio and video are not read"


class EncryptedDocument(Unprocessable):
    """The document is protected by a password."""

    slug = "encrypted_document"
    title = "The document is protected by a password"


class EmptyDocument(Unprocessable):
    """No text was found in the document."""

    slug = "empty_document"
    title = "No text was found in the document"


class ParserFailed(Unprocessable):
    """The document is damaged or cannot be read."""

    slug = "parser_failed"
    title = "The document is damaged or cannot be read"


class TimedOut(Unprocessable):
    """Reading the document took longer than allowed."""

    slug = "timed_out"
    title = "Reading the document took longer than allowed"


class EmbeddingFailed(Unprocessable):
    """The text was read but could not be made searchable."""

    slug = "embedding_failed"
    title = "The text was read but could not be made searchable"


class ModelChanged(Conflict):
    """The session's vectors and those of today come from different models."""

    slug = "model_changed"
    title = "The embedding model was exchanged while this session was open"


class LinksNotAllowed(Forbidden):
    """This service fetches no links: the site would learn that somebody asked."""

    slug = "links_not_allowed"
    title = "This service fetches no links"


class LinkRefused(Invalid):
    """This address may not be fetched."""

    slug = "link_refused"
    title = "This address may not be fetched"


class VideoLink(Invalid):
    """Videos are not fetched."""

    slug = "video_link"
    title = "Videos are not fetched; upload their subtitles"


class LinkFailed(Unprocessable):
    """The site did not answer with something that can be read."""

    slug = "link_failed"
    title = "The site did not answer with something that can be read"


class NothingIndexed(Conflict):
    """No document of this session is ready to be searched."""

    slug = "nothing_indexed"
    title = "No document of this session is ready to be searched"


class RateLimited(TooMany):
    """Too many attempts; try again later."""

    slug = "rate_limited"
    title = "Too many attempts; try again later"


class QueueFull(TooMany):
    """Too many documents are waiting on this machine."""

    slug = "queue_full"
    title = "Too many documents are waiting on this machine"


class HostFull(Unavailable):
    """The machine holds as many live sessions as it may."""

    slug = "host_full"
    title = "This machine holds as many live sessions as it may"


class PartUnavailable(Unavailable):
    """A part of the service is restarting."""

    slug = "unavailable"
    title = "A part of the service is restarting"


class NoSpace(OutOfSpace):
    """There is no room left in memory for this upload."""

    slug = "no_space"
    title = "There is no room left in memory for this upload"


def _descendants(family: type[MayflyError]) -> list[type[MayflyError]]:
    return [family, *(leaf for child in family.__subclasses__() for leaf in _descendants(child))]


def by_slug() -> dict[str, type[MayflyError]]:
    """Map each slug to the error that brought it in: families have none, and a special case repeats its parent's."""
    named = [error for error in _descendants(MayflyError) if "slug" in vars(error)]
    return {error.slug: error for error in reversed(named)}


def from_slug(slug: str, *, retry_after_seconds: int | None = None) -> MayflyError:
    """Rebuild the error that another process named; an unknown name becomes the general one."""
    return by_slug().get(slug, MayflyError)(retry_after_seconds=retry_after_seconds)
