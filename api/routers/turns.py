"""Turns: the short-term context of the current session. It never leaves the session process but to its learner."""

from fastapi import APIRouter

from api.dependencies import CurrentSession, SeenSession
from api.problems import TAKES_JSON
from api.routers import refuses
from api.schemas import turns as wire
from models.errors import InvalidRequest, NotAllowed, SessionExpired

router = APIRouter(prefix="/v1/sessions/current/turns", tags=["turns"])


@router.post("", status_code=201, responses=refuses(*TAKES_JSON, InvalidRequest, SessionExpired, NotAllowed))
def append_turn(new: wire.NewTurn, session: CurrentSession) -> wire.HeldTurns:
    """Hold one more turn; the oldest go when there are too many or they are too large."""
    held = session.client.append_turn(new.role, new.text)
    return wire.HeldTurns(turns=len(held.turns), bytes=held.bytes)


@router.get("", responses=refuses(SessionExpired, NotAllowed))
def read_turns(session: SeenSession) -> wire.Turns:
    """Return the turns that are held, the oldest first."""
    return wire.Turns.of(session.client.turns())


@router.delete("", responses=refuses(SessionExpired, NotAllowed))
def clear_turns(session: CurrentSession) -> wire.HeldTurns:
    """Forget all turns."""
    held = session.client.clear_turns()
    return wire.HeldTurns(turns=len(held.turns), bytes=held.bytes)
