"""Starting a conversation: the one deed that needs the scenarios and the conversations together."""

import dataclasses

from sqlalchemy.orm import Session

from api.resources import Resources
from models.conversations import service
from models.conversations.service import ConversationInfo, Start


def start(resources: Resources, db: Session, wish: Start) -> ConversationInfo:
    """Write a new conversation; its scenario gives the topic unless the wish names one.

    Raises ``NoSuchThing`` for an unknown scenario, ``SessionExpired``.
    """
    if wish.scenario_id is not None:
        scenario = resources.catalogue.get(wish.scenario_id)
        wish = dataclasses.replace(wish, topic=wish.topic or scenario.topic)
    return service.start(db, wish)
