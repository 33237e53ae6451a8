"""The markers of one session find what is left of another that goes by them, however many there are."""

import pytest

from api.proving.markers import Markers
from proof.scan import Scanner


@pytest.mark.parametrize("kind", ["file name", "question"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_words_of_any_session_of_a_crowd_are_found_by_the_needles_of_one(kind: str, encoding: str) -> None:
    crowd = Markers("crowd")
    scanner = Scanner(crowd.needles())
    others = [crowd.another() for _ in range(50)]

    found = [scanner.in_bytes(other.sentence(kind).encode(encoding)) for other in others]

    assert len({other.words[kind] for other in others}) == 50
    assert all((f"crowd: {kind}", encoding) in hits for hits in found)
    assert sum(len(list(other.needles())) for other in others) == 0
    assert not scanner.in_bytes(Markers("crowd").sentence(kind).encode(encoding))
