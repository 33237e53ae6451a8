"""All tables of the record in one metadata: what migrations, the drift check and the privacy map look at."""

import models.accounts.tables
import models.conversations.tables
import models.documents.tables
import models.feedback.tables
import models.progress.tables
import models.receipts.tables
import models.scenarios.tables
import models.sessions.tables
import models.usage.tables
from models.database import Base

__all__ = ["metadata"]

_IMPORTED_FOR_THEIR_TABLES = (
    models.accounts.tables,
    models.conversations.tables,
    models.documents.tables,
    models.feedback.tables,
    models.progress.tables,
    models.receipts.tables,
    models.scenarios.tables,
    models.sessions.tables,
    models.usage.tables,
)
metadata = Base.metadata
