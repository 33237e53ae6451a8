"""What one session may hold, and how much may wait on the whole machine."""

import msgspec

MIB = 1024 * 1024


class SessionLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The quotas of a session; ``queue_files`` and ``queue_bytes`` bound the sealed files of all sessions together.

    A resumable upload that is not complete and gets nothing for ``resume_seconds`` is given up.
    """

    files: int = 20
    file_bytes: int = 25 * MIB
    session_bytes: int = 100 * MIB
    chunks: int = 10_000
    queue_files: int = 100
    queue_bytes: int = 1024 * MIB
    max_grant_seconds: int = 900
    resume_seconds: float = 600.0
