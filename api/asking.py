"""A question on its way to the session process and its passages back."""

from api.dependencies import WhoAsks, renew
from api.resources import Resources
from api.schemas.queries import Passages, Question
from models.content import Answer
from models.errors import MayflyError, PartUnavailable, SessionExpired
from sessions.messages import Ask


def ask(resources: Resources, asker: WhoAsks, question: Question) -> Passages:
    """Return the passages for one question.

    Raises ``SessionExpired``, ``NothingIndexed``, ``NoSuchThing`` (an unknown ``document_ids`` entry), ``RateLimited``.
    """
    wish = Ask(
        text=question.text,
        top_k=question.top_k,
        max_tokens=question.max_tokens,
        document_ids=None if question.document_ids is None else tuple(question.document_ids),
        language=question.language,
        grant=asker.grant,
        doubtful=question.doubtful,
    )
    if asker.grant is None:
        resources.throttle.query(asker.session_id)
        answer = asker.client.ask(wish)
    else:
        answer = _ask_by_grant(resources, asker, wish)
    resources.metrics.queries.labels("nothing_relevant" if answer.nothing_relevant else "answered").inc()
    if answer.second_stage != "off":
        resources.metrics.second_stages.labels(answer.second_stage).inc()
    return Passages.of(answer)


def _ask_by_grant(resources: Resources, asker: WhoAsks, wish: Ask) -> Answer:
    """Ask, and only once the grant was found good keep the session alive and count one of its questions.

    Whoever knows no more than a session's id can neither prolong it nor use its questions up.
    """
    resources.throttle.refuse_spent(asker.session_id)
    try:
        answer = asker.client.ask(wish)
    except SessionExpired:
        resources.throttle.failed_grant(asker.address)
        raise
    except PartUnavailable:
        raise  # Nobody knows whether the grant was looked at.
    except MayflyError:
        resources.throttle.query(asker.session_id)
        raise
    resources.throttle.query(asker.session_id)
    renew(resources, asker.session_id)
    return answer
