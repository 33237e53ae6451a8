"""The closed sets of words that the record may hold in the clear.

Every text column that is neither an id, a hash nor sealed takes its values from here, so no word of a learner's own can
get in by way of a media type, a language tag or an error message.
"""

from typing import Literal, get_args

from models.errors import by_slug

SessionState = Literal["open", "ending", "ended"]
EndReason = Literal["sign_out", "expiry", "crash", "shutdown", "hook", "erasure"]
ProcessedStatus = Literal["queued", "extracting", "embedding", "ready", "failed", "purged"]
ReceiptKind = Literal["purge", "erasure"]
LogEntryKind = Literal["start", "end"]
ActivityKind = Literal["conversation", "lesson_completed", "practice", "review"]
FeedbackType = Literal["comprehension", "fluency", "grammar", "pronunciation", "vocabulary", "other"]
ServiceName = Literal[
    "chat",
    "embedding",
    "grammar_check",
    "image",
    "moderation",
    "pronunciation",
    "speech_to_text",
    "text_to_speech",
    "translation",
    "other",
]
Level = Literal["A1", "A2", "B1", "B2", "C1", "C2"]
Topic = Literal[
    "culture",
    "family",
    "food",
    "health",
    "home",
    "leisure",
    "nature",
    "school",
    "shopping",
    "society",
    "travel",
    "work",
]

SESSION_STATES: tuple[str, ...] = get_args(SessionState)
END_REASONS: tuple[str, ...] = get_args(EndReason)
PROCESSED_STATUSES: tuple[str, ...] = get_args(ProcessedStatus)
RECEIPT_KINDS: tuple[str, ...] = get_args(ReceiptKind)
LOG_ENTRY_KINDS: tuple[str, ...] = get_args(LogEntryKind)
ACTIVITY_KINDS: tuple[str, ...] = get_args(ActivityKind)
FEEDBACK_TYPES: tuple[str, ...] = get_args(FeedbackType)
SERVICE_NAMES: tuple[str, ...] = get_args(ServiceName)
LEVELS: tuple[str, ...] = get_args(Level)
TOPICS: tuple[str, ...] = get_args(Topic)
UNFINISHED: tuple[str, ...] = ("queued", "extracting", "embedding")

OTHER_FILE_TYPE = "other"
FILE_TYPES = frozenset(
    {
        "application/epub+zip",
        "application/json",
        "application/pdf",
        "application/rtf",
        "application/vnd.oasis.opendocument.presentation",
        "application/vnd.oasis.opendocument.spreadsheet",
        "application/vnd.oasis.opendocument.text",
        "application/vnd.openxmlformats-officedocument.presentationml.presentation",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/x-subrip",
        "application/zip",
        "image/heic",
        "image/jpeg",
        "image/png",
        "image/tiff",
        "image/webp",
        "message/rfc822",
        "text/csv",
        "text/html",
        "text/markdown",
        "text/plain",
        "text/vtt",
        OTHER_FILE_TYPE,
    }
)

# ISO 639-1, complete (183 codes).
_LANGUAGES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el "
    "en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it "
    "iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt "
    "my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl "
    "sm sn so sq sr ss st su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo "
    "za zh zu"
)
LANGUAGES = frozenset(_LANGUAGES.split())


def file_type(media_type: str | None) -> str:
    """Return a media type if the record knows it, else ``other``: a client's own words never get through."""
    return media_type if media_type in FILE_TYPES else OTHER_FILE_TYPE


def language(code: str | None) -> str | None:
    """Return an ISO 639-1 code if it is one, else ``None``."""
    return code if code in LANGUAGES else None


def error_code(slug: str | None) -> str | None:
    """Return the slug of a known error; an unknown one becomes ``internal_error``; ``None`` stays ``None``."""
    return slug if slug is None or slug in by_slug() else "internal_error"
