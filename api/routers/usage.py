"""Usage: record what a service cost, ask before spending, set a budget, export the log."""

from fastapi import APIRouter, Response

from api import spending
from api.dependencies import CurrentSession, Db, Res, SeenSession
from api.problems import TAKES_JSON
from api.routers import refuses
from api.schemas import usage as wire
from models.errors import DialogueRefused, InvalidRequest, NoSuchThing, NotAllowed, SessionExpired
from models.usage import budgets, service
from models.usage.service import Usage

router = APIRouter(prefix="/v1/usage", tags=["usage"])

_REFUSALS = (*TAKES_JSON, InvalidRequest, DialogueRefused, SessionExpired, NotAllowed)


@router.post("", status_code=201, responses=refuses(*_REFUSALS, NoSuchThing))
def record_usage(new: wire.NewUsage, db: Db, session: CurrentSession) -> wire.RecordedUsage:
    """Record one request to a service, once: sent again with the same id, it is not counted again."""
    usage = Usage(**new.model_dump())
    recorded = service.record(db, usage, user_id=session.user_id)
    return wire.RecordedUsage(usage_id=usage.usage_id, recorded=recorded)


@router.post("/checks", responses=refuses(*_REFUSALS))
def may_spend(wanted: wire.SpendingCheck, db: Db, resources: Res, session: SeenSession) -> wire.Verdict:
    """Tell whether an amount may be spent this month. Asking reserves nothing."""
    allowed = spending.ceilings(resources.settings.budgets)
    verdict = budgets.may_spend(db, session.user_id, wanted.cost, allowed)
    return wire.Verdict.model_validate(verdict, from_attributes=True)


@router.get("/budget", responses=refuses(SessionExpired, NotAllowed))
def get_budget(db: Db, resources: Res, session: SeenSession) -> wire.Budget:
    """Tell what was spent this month and what may be."""
    found = budgets.budget(db, session.user_id, spending.ceilings(resources.settings.budgets))
    return wire.Budget.model_validate(found, from_attributes=True)


@router.put("/budget", responses=refuses(*_REFUSALS))
def set_budget(wish: wire.BudgetWish, db: Db, resources: Res, session: CurrentSession) -> wire.Budget:
    """Set what may be spent a month. The operator's limit holds all the same."""
    budgets.set_budget(db, session.user_id, monthly_limit=wish.monthly_limit, warn_percent=wish.warn_percent)
    return get_budget(db, resources, session)


@router.get(
    "/export",
    response_class=Response,
    responses=refuses(SessionExpired, NotAllowed) | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
def export_usage(db: Db, session: SeenSession) -> Response:
    """Return the whole log of the account as CSV."""
    return Response(spending.as_csv(service.of_user(db, session.user_id)), media_type="text/csv")
