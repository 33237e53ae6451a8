"""The last turns of the current conversation: content, held in the session process alone."""

from typing import Annotated, Self

from pydantic import ConfigDict, Field

from api.schemas import Incoming, Outgoing
from sessions import messages
from sessions.messages import Role

TURN_CHARACTERS = 4000


class NewTurn(Incoming):
    """What one side said. It is kept in memory until the session ends or newer turns need its room."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "learner", "text": "Où est la gare ?"}]})

    role: Role
    text: Annotated[str, Field(min_length=1, max_length=TURN_CHARACTERS, repr=False)]


class Turn(Outgoing):
    """What one side said."""

    role: Role
    text: Annotated[str, Field(repr=False)]


class Turns(Outgoing):
    """The turns that are held, the oldest first; ``bytes`` is the size of their texts."""

    turns: Annotated[list[Turn], Field(repr=False)]
    bytes: int

    @classmethod
    def of(cls, held: messages.Turns) -> Self:
        """Return the wire form of what a session process holds."""
        return cls(turns=[Turn(role=turn.role, text=turn.text) for turn in held.turns], bytes=held.bytes)


class HeldTurns(Outgoing):
    """How many turns are held, and how large they are."""

    turns: int
    bytes: int
