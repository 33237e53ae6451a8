"""What the tutor's services cost, and budgets."""

from decimal import Decimal
from typing import Annotated

from pydantic import ConfigDict, Field

from api.schemas import Outgoing
from api.schemas.record import NUMBER, ClientsId, Metadata, Money6, RecordId
from models.ids import new_id
from models.usage.budgets import WARN_PERCENT, BudgetState
from models.vocabulary import ServiceName

MAX_TOKENS = 10**9
MAX_DURATION_MS = 86_400_000


class NewUsage(Metadata):
    """One request to a service. The same ``usage_id`` again is not counted again."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "usage_id": "7f0c2b1d4e5a69788796a5b4c3d2e1f0",
                    "service_name": "speech_to_text",
                    "tokens": 0,
                    "duration_ms": 2140,
                    "cost": "0.000214",
                }
            ]
        }
    )

    usage_id: Annotated[ClientsId, Field(default_factory=new_id)]
    service_name: ServiceName
    tokens: Annotated[int, Field(ge=0, le=MAX_TOKENS), NUMBER] = 0
    duration_ms: Annotated[int, Field(ge=0, le=MAX_DURATION_MS), NUMBER] = 0
    cost: Money6
    conversation_id: RecordId | None = None


class RecordedUsage(Outgoing):
    """That a request is in the log; ``recorded`` is false when it was already."""

    usage_id: str
    recorded: bool


class BudgetWish(Metadata):
    """What the learner allows a month; null takes his limit away. ``warn_percent`` says when it is nearly used up."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"monthly_limit": "5.00", "warn_percent": 75}]})

    monthly_limit: Money6 | None
    warn_percent: Annotated[int, Field(ge=1, le=100), NUMBER] = WARN_PERCENT


class Budget(Outgoing):
    """This month (UTC) of the account. ``limit`` is the lower of the learner's own and the operator's."""

    month: int
    spent: Decimal
    limit: Decimal | None
    own_limit: Decimal | None
    warn_percent: int
    state: BudgetState


class SpendingCheck(Metadata):
    """How much a request may cost that the tutor thinks of."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"cost": "0.25"}]})

    cost: Money6


class Verdict(Outgoing):
    """Whether it may be spent, and how far both budgets would be used up. It reserves nothing."""

    allowed: bool
    account: BudgetState
    deployment: BudgetState
