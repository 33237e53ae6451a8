"""Getting the model ready in a process of its own, so that what converting needs is not kept.

``python -m api.preparation`` reads a ``Wish`` on standard input and answers with a ``Prepared``, both JSON.
"""

import sys
from pathlib import Path

import msgspec

from processes.hardening import harden
from vectorstore.endpoint import EndpointConfig
from vectorstore.models import BackendChoice


class Wish(msgspec.Struct, frozen=True):
    """Which model to prepare, and where; and the folder of a cross-encoder, which is checked too."""

    model: str
    model_dir: str
    backend: BackendChoice
    endpoint: EndpointConfig | None = None
    cross_encoder: str | None = None


class Prepared(msgspec.Struct, frozen=True):
    """The model is ready; these are what the other processes need to know of it."""

    tokenizer_file: str
    passage_prefix: str


def main() -> None:
    """Prepare the model that standard input names. Ends with a message on standard error when it cannot be used."""
    from vectorstore.container import UnreadableModel

    harden()
    wish = msgspec.json.decode(sys.stdin.buffer.read(), type=Wish)
    try:
        answer = _prepare(wish)
    except (UnreadableModel, OSError) as error:
        raise SystemExit(f"the model cannot be used: {error}") from None
    sys.stdout.buffer.write(msgspec.json.encode(answer))


def _prepare(wish: Wish) -> Prepared:
    from vectorstore.cross_encoder import check
    from vectorstore.models import prepare, tokenizer_file, tokenizer_of

    if wish.cross_encoder is not None:
        check(Path(wish.cross_encoder))
    if wish.endpoint is not None:
        return Prepared(str(tokenizer_of(wish.endpoint, Path(wish.model_dir))), wish.endpoint.passage_prefix)
    prepared = prepare(wish.model, Path(wish.model_dir), backend=wish.backend)
    return Prepared(str(tokenizer_file(prepared)), prepared.card.passage_prefix)


if __name__ == "__main__":
    main()
