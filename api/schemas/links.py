"""Links to be fetched."""

from typing import Annotated

from pydantic import ConfigDict, Field

from api.schemas import Incoming
from ingestion.fetch.addresses import MAX_LINK_CHARACTERS


class Link(Incoming):
    """A page or file on the web: http or https, to a public name, on the usual port."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"url": "https://www.example.org/lesson.html"}]})

    url: Annotated[str, Field(min_length=1, max_length=MAX_LINK_CHARACTERS, repr=False)]
