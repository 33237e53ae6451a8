"""What the bodies of the durable record have in common: exact money, days, time zones, pages, and no dialogue."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from api.problems import DIALOGUE_REFUSED
from api.schemas import Incoming
from models.time_zones import TIME_ZONES

MAX_PAGE = 100
# What a tutor might call the words that were spoken. None of them is a field of the record.
DIALOGUE_NAMES = frozenset(
    {
        "completion",
        "content",
        "conversation",
        "dialog",
        "dialogue",
        "history",
        "message",
        "messages",
        "prompt",
        "response",
        "text",
        "transcript",
        "transcripts",
        "turns",
        "utterances",
    }
)
_MOMENT = r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
_DAY = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


class Metadata(Incoming):
    """A body of ids, counts, closed words and times; one that carries dialogue is refused as such."""

    @model_validator(mode="before")
    @classmethod
    def _refuse_dialogue(cls, data: Any) -> Any:
        names = {str(name).casefold() for name in data} if isinstance(data, dict) else set[str]()
        if (names & DIALOGUE_NAMES) - set(cls.model_fields):
            raise PydanticCustomError(DIALOGUE_REFUSED, "dialogue is not kept")
        return data


def _only(pattern: str) -> Callable[[Any], Any]:
    compiled = re.compile(pattern)

    def check(value: Any) -> Any:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise PydanticCustomError("string_pattern_mismatch", "wrong form")
        return value

    return check


def _money(places: int) -> str:
    return rf"^(0|[1-9][0-9]{{0,5}})(\.[0-9]{{1,{places}}})?$"


def _known_time_zone(name: str) -> str:
    if name not in TIME_ZONES:
        raise PydanticCustomError("unknown_time_zone", "unknown time zone")
    return name


def _no_text_no_truth(value: Any) -> Any:
    if isinstance(value, str | bool):
        raise PydanticCustomError("int_type", "not a number")
    return value


# A number that is meant: neither "5" nor true. JSON has no whole numbers, so 5.0 is one.
NUMBER = BeforeValidator(_no_text_no_truth)
# Decimals as text: a JSON number would pass through a float.
Money4 = Annotated[Decimal, BeforeValidator(_only(_money(4))), WithJsonSchema({"type": "string", "pattern": _money(4)})]
Money6 = Annotated[Decimal, BeforeValidator(_only(_money(6))), WithJsonSchema({"type": "string", "pattern": _money(6)})]
DayText = Annotated[
    date, BeforeValidator(_only(_DAY)), WithJsonSchema({"type": "string", "format": "date", "pattern": _DAY})
]
MomentText = Annotated[
    AwareDatetime, BeforeValidator(_only(_MOMENT)), WithJsonSchema({"type": "string", "format": "date-time"})
]
TimeZone = Annotated[
    str,
    AfterValidator(_known_time_zone),
    WithJsonSchema({"type": "string", "description": "IANA time zone", "enum": sorted(TIME_ZONES)}),
]
Limit = Annotated[int, Field(ge=1, le=MAX_PAGE), NUMBER]
# An id that a client chooses: hex digits alone, so that it can hold no word.
ClientsId = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
RecordId = Annotated[str, Field(min_length=1, max_length=36)]


class PageRequest(Metadata):
    """A part of a list: ``after`` is the id that the part before ended with."""

    limit: Limit = 20
    after: RecordId | None = None
