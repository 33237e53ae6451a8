"""A question on its way to the session process and its passages back."""

from api.dependencies import WhoAsks, renew
from api.resources import Resources
from api.schemas.queries import Passages, Question
from sessions.messages import Ask


def ask(resources: Resources, asker: WhoAsks, question: Question) -> Passages:
    """Return the passages for one question. A grant keeps the session alive only after its secret was found good.

    Raises ``SessionExpired``, ``NothingIndexed``, ``NoSuchThing`` (an unknown ``document_ids`` entry), ``RateLimited``.
    """
    resources.throttle.query(asker.session_id)
    answer = asker.client.ask(
        Ask(
            text=question.text,
            top_k=question.top_k,
            max_tokens=question.max_tokens,
            document_ids=None if question.document_ids is None else tuple(question.document_ids),
            language=question.language,
            grant=asker.grant,
        )
    )
    if asker.grant is not None:
        renew(resources, asker.session_id)
    resources.metrics.queries.labels("nothing_relevant" if answer.nothing_relevant else "answered").inc()
    return Passages.of(answer)
