"""A link on its way to a document: refused at once where its words are enough for that, else handed to the session."""

from api.dependencies import LearnersSession
from api.resources import Resources
from api.schemas import documents as wire
from api.uploads import write_down
from ingestion.fetch.addresses import read_link
from models.errors import LinksNotAllowed, NoSuchThing


def fetch(
    resources: Resources, session: LearnersSession, untrusted_url: str, idempotency_key: str | None
) -> wire.Document:
    """Start to fetch a link and return its document, queued and written down.

    Raises ``LinksNotAllowed``, ``LinkRefused``, ``VideoLink``, ``QuotaExceeded``, ``QueueFull``, ``NoSpace``,
    ``IdempotencyConflict``, ``PartUnavailable``, ``SessionExpired``, and ``NoSuchThing`` when the document that an
    earlier request with this key made was removed.
    """
    if not resources.settings.links.allowed:
        raise LinksNotAllowed
    link = read_link(untrusted_url)
    accepted = session.client.fetch_link(link.url, idempotency_key=idempotency_key)
    if not accepted.documents:
        raise NoSuchThing
    write_down(resources, session, accepted)
    return wire.Document.of(accepted.documents[0])
