"""Getting the model ready in a process of its own, so that what converting needs is not kept.

``python -m api.preparation`` reads a ``Wish`` on standard input and answers with a ``Prepared``, both JSON.
"""

import sys
from pathlib import Path

import msgspec

from processes.hardening import harden
from vectorstore.models import BackendChoice


class Wish(msgspec.Struct, frozen=True):
    """Which model to prepare, and where."""

    model: str
    model_dir: str
    backend: BackendChoice


class Prepared(msgspec.Struct, frozen=True):
    """The model is ready; these are what the other processes need to know of it."""

    tokenizer_file: str
    passage_prefix: str


def main() -> None:
    """Prepare the model that standard input names. Ends with a message on standard error when it cannot be used."""
    from vectorstore.container import UnreadableModel
    from vectorstore.models import prepare, tokenizer_file

    harden()
    wish = msgspec.json.decode(sys.stdin.buffer.read(), type=Wish)
    try:
        prepared = prepare(wish.model, Path(wish.model_dir), backend=wish.backend)
    except (UnreadableModel, OSError) as error:
        raise SystemExit(f"the model cannot be used: {error}") from None
    answer = Prepared(str(tokenizer_file(prepared)), prepared.card.passage_prefix)
    sys.stdout.buffer.write(msgspec.json.encode(answer))


if __name__ == "__main__":
    main()
