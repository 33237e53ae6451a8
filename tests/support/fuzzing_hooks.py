"""Who asks while the interface is fuzzed: loaded by schemathesis, which runs as a program of its own.

``MAYFLY_FUZZED_URL`` and ``MAYFLY_FUZZED_HOOK_SECRET`` say where and, for the session-end hook, with which secret.
"""

import os
from typing import Any

import schemathesis

from api.client import Client
from tests.conftest import new_learner

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")

ENDS_ITS_SESSION = {("DELETE", "/v1/sessions/current"), ("DELETE", "/v1/accounts/me")}


@schemathesis.auth(refresh_interval=None)
class Learners:
    """The hook's secret for the hook, a learner of its own for what ends a session, one learner for everything else."""

    def __init__(self) -> None:
        self._client = Client(os.environ["MAYFLY_FUZZED_URL"])
        self._lasting = new_learner(self._client).signed_in.token

    def get(self, case: Any, _context: Any) -> str:
        """Return the token for one request."""
        if case.operation.path.endswith("/end"):
            return os.environ["MAYFLY_FUZZED_HOOK_SECRET"]
        if (case.operation.method.upper(), case.operation.path) in ENDS_ITS_SESSION:
            return new_learner(self._client).signed_in.token
        return self._lasting

    def set(self, case: Any, data: str, _context: Any) -> None:
        """Put the token where the interface wants it."""
        case.headers["Authorization"] = f"Bearer {data}"
