"""The wire format: one module per router, with the same name."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, SecretStr
from pydantic_core import PydanticCustomError

# Largest request body, uploads apart.
JSON_BODY_BYTES = 64 * 1024


def _whole(secret: SecretStr) -> SecretStr:
    # JSON can spell half a character (a lone surrogate). No encoding has it, so no hash could be made of it.
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise PydanticCustomError("string_unicode", "not text") from None
    return secret


Secret = Annotated[SecretStr, AfterValidator(_whole)]


class Incoming(BaseModel):
    """A request body: only what is declared, nothing shown in a ``repr``, no value in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Outgoing(BaseModel):
    """A reply body."""

    model_config = ConfigDict(frozen=True)
