"""Conversations: start, look, list, add usage, end. Metadata only; dialogue is refused."""

from fastapi import APIRouter

from api import continuing, conversing
from api.dependencies import CurrentSession, Db, Res, SeenSession
from api.problems import TAKES_JSON
from api.routers import refuses
from api.schemas import conversations as wire
from api.schemas.record import PageRequest
from models.conversations import service
from models.conversations.service import Start
from models.errors import DialogueRefused, InvalidRequest, NoSuchThing, NotAllowed, SessionExpired

router = APIRouter(prefix="/v1", tags=["conversations"])

_REFUSALS = (*TAKES_JSON, InvalidRequest, DialogueRefused, SessionExpired, NotAllowed, NoSuchThing)


@router.post("/conversations", status_code=201, responses=refuses(*_REFUSALS))
def start_conversation(
    wish: wire.NewConversation, resources: Res, db: Db, session: CurrentSession
) -> wire.Conversation:
    """Note that a conversation starts. What is said in it is never taken."""
    start = Start(session_id=session.session_id, user_id=session.user_id, **wish.model_dump())
    return wire.Conversation.of(conversing.start(resources, db, start))


@router.post("/searches/conversations", responses=refuses(*_REFUSALS))
def list_conversations(wanted: PageRequest, db: Db, session: SeenSession) -> wire.Conversations:
    """List the learner's conversations, the latest first."""
    found = service.page(db, session.user_id, limit=wanted.limit, after=wanted.after)
    return wire.Conversations.of(found, wanted.limit)


@router.get("/conversations/{conversation_id}", responses=refuses(SessionExpired, NotAllowed, NoSuchThing))
def get_conversation(conversation_id: str, db: Db, session: SeenSession) -> wire.Conversation:
    """Return one conversation."""
    return wire.Conversation.of(service.get(db, conversation_id, user_id=session.user_id))


@router.get("/conversations/{conversation_id}/context", responses=refuses(SessionExpired, NotAllowed, NoSuchThing))
def continue_conversation(
    conversation_id: str, resources: Res, db: Db, session: SeenSession
) -> wire.ConversationContext:
    """Return what a tutor may know to continue a conversation. Dialogue is not among it: none was kept."""
    return continuing.context(resources, db, session, conversation_id)


@router.post("/conversations/{conversation_id}/usage", responses=refuses(*_REFUSALS))
def add_conversation_usage(
    conversation_id: str, usage: wire.ConversationUsage, db: Db, session: CurrentSession
) -> wire.Conversation:
    """Add tokens and money to a conversation."""
    info = service.add_usage(db, conversation_id, user_id=session.user_id, tokens=usage.tokens, cost=usage.cost)
    return wire.Conversation.of(info)


@router.post("/conversations/{conversation_id}/end", responses=refuses(SessionExpired, NotAllowed, NoSuchThing))
def end_conversation(conversation_id: str, db: Db, session: CurrentSession) -> wire.Conversation:
    """End a conversation; one that has ended stays as it is."""
    return wire.Conversation.of(service.end(db, conversation_id, user_id=session.user_id))
