"""Two years of a learner's life in the record, as rows: made up from a seed, written in bulk."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from sqlalchemy import insert, select

from models.conversations.tables import Conversation
from models.database import Base, Database
from models.feedback.tables import Feedback
from models.progress.days import day_in
from models.progress.tables import ActivityDay, ActivityEvent, LearnerClock
from models.usage.service import month_of
from models.usage.tables import ApiUsage, UsageMonth
from models.vocabulary import ACTIVITY_KINDS, FEEDBACK_TYPES, SERVICE_NAMES, TOPICS

DAYS = 730
FIRST_DAY = date(2024, 11, 1)
LAST_DAY = FIRST_DAY + timedelta(days=DAYS - 1)
LANGUAGES = ("fr", "es", "ja")
TIME_ZONE = "Europe/Paris"
_ACTIVE_SHARE = 0.8
_Row = TypeVar("_Row", bound=Base)


def fill(
    database: Database,
    user_id: str,
    session_id: str,
    *,
    seed: int,
    days: int = DAYS,
    sealed: bytes = b"\0",
) -> dict[str, int]:
    """Write the rows of one learner and return how many there are by table. The same seed writes the same rows."""
    rows = _rows(random.Random(seed), user_id, session_id, days, sealed)  # noqa: S311  # Made up, not secret.
    with database.transaction() as db:
        for table, values in rows:
            db.execute(insert(table), values)
    return {table.__tablename__: len(values) for table, values in rows}


def rows_of(database: Database, table: type[_Row], user_id: str) -> Sequence[_Row]:
    """Return all rows of one learner."""
    with database.transaction() as db:
        return db.scalars(select(table).where(table.__table__.c.user_id == user_id)).all()


def _rows(
    chance: random.Random, user_id: str, session_id: str, days: int, sealed: bytes
) -> list[tuple[type[Base], list[dict[str, Any]]]]:
    conversations, feedback, usage, events, active = [list[dict[str, Any]]() for _ in range(5)]
    for day in (FIRST_DAY + timedelta(days=number) for number in range(days)):
        if chance.random() > _ACTIVE_SHARE:
            continue
        moment = datetime.combine(day, time(18, 30), UTC)
        talk = _conversation(chance, user_id, session_id, moment)
        conversations.append(talk)
        feedback += [_feedback(chance, talk, moment, sealed) for _ in range(2)]
        usage += [_usage(chance, talk, moment) for _ in range(5)]
        events += [_event(chance, user_id, moment, day) for _ in range(2)]
        found = day_in(day, TIME_ZONE)
        active.append({"user_id": user_id, "day": day, "starts_at": found.starts_at, "ends_at": found.ends_at})
    clock = {"user_id": user_id, "time_zone": TIME_ZONE, "set_at": datetime.combine(LAST_DAY, time(), UTC)}
    return [
        (Conversation, conversations),
        (Feedback, feedback),
        (ApiUsage, usage),
        (UsageMonth, _months(user_id, usage)),
        (ActivityEvent, events),
        (ActivityDay, active),
        (LearnerClock, [clock]),
    ]


def _id(chance: random.Random) -> str:
    return f"{chance.getrandbits(128):032x}"


def _conversation(chance: random.Random, user_id: str, session_id: str, moment: datetime) -> dict[str, Any]:
    seconds = chance.randrange(60, 3600)
    return {
        "conversation_id": _id(chance),
        "user_id": user_id,
        "session_id": session_id,
        "scenario_id": None,
        "topic": chance.choice((*TOPICS, None)),
        "target_language": chance.choice(LANGUAGES),
        "started_on": moment.date(),
        "start_time": moment,
        "end_time": moment + timedelta(seconds=seconds),
        "duration_seconds": seconds,
        "total_ai_tokens_used": chance.randrange(100_000),
        "estimated_cost": Decimal(chance.randrange(10_000)).scaleb(-4),
    }


def _feedback(chance: random.Random, talk: dict[str, Any], moment: datetime, sealed: bytes) -> dict[str, Any]:
    return {
        "feedback_id": _id(chance),
        "user_id": talk["user_id"],
        "session_id": talk["session_id"],
        "conversation_id": talk["conversation_id"],
        "feedback_type": chance.choice(FEEDBACK_TYPES),
        "score": Decimal(chance.randrange(1001)).scaleb(-3),
        "sealed_suggestions": sealed,
        "given_on": moment.date(),
        "created_at": moment,
    }


def _usage(chance: random.Random, talk: dict[str, Any], moment: datetime) -> dict[str, Any]:
    return {
        "user_id": talk["user_id"],
        "usage_id": _id(chance),
        "conversation_id": talk["conversation_id"],
        "service_name": chance.choice(SERVICE_NAMES),
        "tokens": chance.randrange(5000),
        "duration_ms": chance.randrange(20_000),
        "cost": Decimal(chance.randrange(100_000)).scaleb(-6),
        "used_on": moment.date(),
        "created_at": moment,
    }


def _event(chance: random.Random, user_id: str, moment: datetime, day: date) -> dict[str, Any]:
    return {
        "user_id": user_id,
        "event_id": _id(chance),
        "kind": chance.choice(ACTIVITY_KINDS),
        "language": chance.choice(LANGUAGES),
        "topic": chance.choice((*TOPICS, None)),
        "day": day,
        "occurred_at": moment,
    }


def _months(user_id: str, usage: list[dict[str, Any]]) -> list[dict[str, Any]]:
    months = dict[int, dict[str, Any]]()
    for row in usage:
        month = month_of(row["used_on"])
        sums = months.setdefault(
            month, {"user_id": user_id, "month": month, "requests": 0, "tokens": 0, "cost": Decimal(0)}
        )
        sums["requests"] += 1
        sums["tokens"] += row["tokens"]
        sums["cost"] += row["cost"]
    return list(months.values())
