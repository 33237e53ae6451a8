"""The kernel kills the front because memory ran out (K25): nothing of it stays, and the sessions live on."""

import pytest

from api.client import Client
from tests.conftest import PASSWORD, new_learner, serving
from tests.support import inspection, residue
from tests.support.cgroups import NoControl, limited
from tests.support.faults import in_record, refusal
from tests.support.service import eventually

LIMIT_MIB = 24
HASH_KIB = 65_536  # What a sign-in takes, by default too: more than there is.


def test_a_front_that_the_kernel_kills_for_want_of_memory_costs_nobody_his_session() -> None:
    marker = residue.new_marker()
    with serving(MAYFLY_ACCOUNTS_ARGON2_MEMORY_KIB=str(HASH_KIB)) as service, Client(service.url) as client:
        session = new_learner(client)
        (note,) = session.upload((f"{marker}.txt", f"The {marker} lives for one day.".encode(), "text/plain"))
        assert session.wait(note.document_id).status == "ready"
        front = inspection.process(service, "front")
        assert residue.in_memory(inspection.session_processes(service), marker) != {}, "its absence must mean something"

        try:
            with limited(front.pid, mib=LIMIT_MIB) as group:
                assert refusal(lambda: client.sign_in("nobody@example.org", PASSWORD)) == "unreachable"
                assert eventually(lambda: not front.is_running(), seconds=60)
                kills = group.kills
        except NoControl as reason:
            pytest.skip(f"no front was killed for want of memory: {reason}")

        assert kills == 1
        service.wait_until_ready()
        assert inspection.process(service, "front").pid != front.pid
        assert marker in session.ask("What lives for one day?").passages[0].text
        session.sign_out()
        assert in_record(service, session.session_id) == ("ended", "sign_out", 1)
        assert residue.in_memory(inspection.processes(service), marker) == {}
        assert residue.in_files(inspection.folders(service), marker) == []
