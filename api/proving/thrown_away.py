"""A service made for the run: its sessions run out of time soon, and its links lead to a site of the run."""

import contextlib
import tempfile
from collections.abc import Generator
from pathlib import Path

from rich.console import Console

from api.proving import world
from api.proving.deployment import Deployment
from api.settings import Settings
from api.throw_away import throw_away_service

# What a run cannot wait for or would wait for often, as for the hash of a password; all else is as the settings say.
_SETTINGS = {
    "MAYFLY_SESSIONS_IDLE_SECONDS": "30",
    "MAYFLY_UPLOADS_IDLE_SECONDS": "300",
    "MAYFLY_UPLOADS_TOTAL_SECONDS": "3600",
    "MAYFLY_ACCOUNTS_SIGN_INS_PER_MINUTE": "100000",
    "MAYFLY_ACCOUNTS_ARGON2_MEMORY_KIB": "1024",
    "MAYFLY_ACCOUNTS_ARGON2_PASSES": "1",
}


@contextlib.contextmanager
def deployed(settings: Settings, console: Console) -> Generator[Deployment]:
    """Run a service that nobody else uses; where this machine allows it, in a network of its own with a site in it.

    This process stays in that network, so it is for programs that end afterwards.
    """
    with contextlib.ExitStack() as running:
        linked = world.hindrance() is None
        if linked:
            folder = running.enter_context(tempfile.TemporaryDirectory(prefix="mayfly-prove-"))
            world.enter(Path(folder))
        changed = _SETTINGS | ({"MAYFLY_LINKS_ALLOWED": "true"} if linked else {})
        made = running.enter_context(throw_away_service(console, changed))
        own = {"data_dir": made.folder / "data", "runtime_dir": made.folder / "run"}
        own |= {"database_url": None, "database_url_file": None}
        site = running.enter_context(contextlib.closing(world.Site())) if linked else None
        yield Deployment(made.url, settings.model_copy(update=own), made.log, site)
