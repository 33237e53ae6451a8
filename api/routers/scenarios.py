"""Scenarios: find one to talk about."""

from fastapi import APIRouter

from api.dependencies import Res, SeenSession
from api.problems import TAKES_JSON
from api.routers import refuses
from api.schemas import scenarios as wire
from models.errors import InvalidRequest, NoSuchThing, NotAllowed, SessionExpired
from models.scenarios.service import Filter

router = APIRouter(prefix="/v1", tags=["scenarios"])


@router.post("/searches/scenarios", responses=refuses(*TAKES_JSON, InvalidRequest, SessionExpired, NotAllowed))
def search_scenarios(wanted: wire.ScenarioFilter, resources: Res, _session: SeenSession) -> wire.Scenarios:
    """List the scenarios of a language, a level and a topic."""
    found = resources.catalogue.search(Filter(language=wanted.language, level=wanted.level, topic=wanted.topic))
    return wire.Scenarios(
        scenarios=[wire.Scenario.model_validate(scenario, from_attributes=True) for scenario in found]
    )


@router.get("/scenarios/{scenario_id}", responses=refuses(SessionExpired, NotAllowed, NoSuchThing))
def get_scenario(scenario_id: str, resources: Res, _session: SeenSession) -> wire.Scenario:
    """Return one scenario."""
    return wire.Scenario.model_validate(resources.catalogue.get(scenario_id), from_attributes=True)
