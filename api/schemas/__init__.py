"""The wire format: one module per router, with the same name."""

from pydantic import BaseModel, ConfigDict

# Largest request body, uploads apart.
JSON_BODY_BYTES = 64 * 1024


class Incoming(BaseModel):
    """A request body: only what is declared, nothing shown in a ``repr``, no value in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Outgoing(BaseModel):
    """A reply body."""

    model_config = ConfigDict(frozen=True)
