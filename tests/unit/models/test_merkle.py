"""The tree of the log against the words of RFC 6962, against another implementation, and against forgers."""

import hashlib
import random
from collections.abc import Callable

import pytest
from tlog_scales import tlog as theirs

from models.receipts.merkle import (
    ProofInvalid,
    added,
    check_consistency,
    check_inclusion,
    consistency,
    inclusion,
    leaf_hash,
    node_hash,
    nodes_of,
    root,
    siblings,
)

SIZES = range(301)
LEAVES = [f'{{"entry":{number}}}'.encode() for number in SIZES]
NODE = nodes_of(LEAVES)
ROOTS = [root(size, NODE) for size in SIZES]


def hash_of(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, 2.1, as it is written there."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\0" + leaves[0]).digest()
    split = max(2**power for power in range(10) if 2**power < len(leaves))
    return hashlib.sha256(b"\1" + hash_of(leaves[:split]) + hash_of(leaves[split:])).digest()


def accepts(check: Callable[..., None], *arguments: object, **named: object) -> bool:
    try:
        check(*arguments, **named)
    except ProofInvalid:
        return False
    return True


def test_roots_are_those_of_the_definition():
    for size in SIZES:
        assert ROOTS[size] == hash_of(LEAVES[:size])


def test_a_tree_that_grows_entry_by_entry_stores_the_nodes_that_one_made_at_once_has():
    stored: dict[tuple[int, int], bytes] = {}
    for index, leaf in enumerate(LEAVES[:-1]):
        assert all(place in stored for place in siblings(index))
        for level, position, value in added(index, leaf_hash(leaf), lambda *place: stored[place]):
            stored[level, position] = value
        assert root(index + 1, lambda *place: stored[place]) == ROOTS[index + 1]

    assert all(NODE(level, position) == value for (level, position), value in stored.items())
    assert len(stored) < 2 * len(LEAVES)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 64, 65, 127, 255, 300])
def test_every_entry_of_a_tree_is_proven_in_few_hashes(size: int):
    for index in range(size):
        proof = inclusion(index, size, NODE)
        assert len(proof) <= (size - 1).bit_length()
        check_inclusion(leaf_hash(LEAVES[index]), index, size, proof, ROOTS[size])


def test_for_every_size_proofs_hold_and_changed_ones_do_not():
    chance = random.Random(6962)  # noqa: S311  It chooses what to damage.
    for size in SIZES[1:]:
        index = chance.randrange(size)
        proof, leaf = inclusion(index, size, NODE), leaf_hash(LEAVES[index])
        check_inclusion(leaf, index, size, proof, ROOTS[size])

        for changed in damaged(proof, chance):
            assert not accepts(check_inclusion, leaf, index, size, changed, ROOTS[size])
        assert not accepts(check_inclusion, flipped(leaf, chance), index, size, proof, ROOTS[size])
        assert not accepts(check_inclusion, leaf, index, size, proof, ROOTS[size - 1])
        for other in {index + 1, index - 1, size, -1}:
            assert not accepts(check_inclusion, leaf, other, size, proof, ROOTS[size])


def test_for_every_pair_of_sizes_the_log_is_shown_to_have_only_grown():
    for new in SIZES:
        for old in range(new + 1):
            proof = consistency(old, new, NODE)
            check_consistency(old, new, proof, old_root=ROOTS[old], new_root=ROOTS[new])


def test_for_every_size_a_changed_proof_of_growth_is_refused():
    chance = random.Random(9162)  # noqa: S311  As above.
    for new in SIZES[2:]:
        old = chance.randrange(1, new)
        proof, roots = consistency(old, new, NODE), {"old_root": ROOTS[old], "new_root": ROOTS[new]}
        for changed in damaged(proof, chance):
            assert not accepts(check_consistency, old, new, changed, **roots)
        for name, value in roots.items():
            assert not accepts(check_consistency, old, new, proof, **(roots | {name: flipped(value, chance)}))
        assert not accepts(check_consistency, new, old, proof, **roots)
        assert not accepts(check_consistency, old, old, [], **roots)
        assert not accepts(check_consistency, old, new, [], **roots) or not proof


@pytest.mark.parametrize("history", ["rewritten", "dropped", "reordered", "forked"])
def test_no_proof_reconciles_another_history_with_a_root_that_was_seen(history: str):
    for old in (1, 2, 5, 64, 100, 199):
        other = {
            "rewritten": [*LEAVES[: old - 1], b"another", *LEAVES[old:]],
            "dropped": [*LEAVES[: old - 1], *LEAVES[old:]],
            "reordered": [*LEAVES[: old - 1], LEAVES[old], LEAVES[old - 1], *LEAVES[old + 1 :]],
            "forked": [*LEAVES[: old - 1], *(leaf + b"'" for leaf in LEAVES[old - 1 :])],
        }[history][:200]
        node, new = nodes_of(other), len(other)
        forged = consistency(old, new, node)

        assert root(new, node) != ROOTS[new] if new > old else True
        assert not accepts(check_consistency, old, new, forged, old_root=ROOTS[old], new_root=root(new, node))


def test_another_implementation_accepts_every_proof_and_refuses_what_ours_refuses():
    chance = random.Random(7)  # noqa: S311  As above.
    for size in SIZES[1:]:
        index, old = chance.randrange(size), chance.randrange(size + 1)
        leaf = leaf_hash(LEAVES[index])
        theirs.InclusionProof(index, size, inclusion(index, size, NODE)).check(leaf, ROOTS[size])
        theirs.ConsistencyProof(old, size, consistency(old, size, NODE)).check(ROOTS[old], ROOTS[size])
        for changed in damaged(inclusion(index, size, NODE), chance):
            with pytest.raises(theirs.InclusionProofInvalid):
                theirs.InclusionProof(index, size, changed).check(leaf, ROOTS[size])


def flipped(value: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(8 * len(value))
    return bytes(byte ^ (1 << place % 8 if number == place // 8 else 0) for number, byte in enumerate(value))


def damaged(proof: list[bytes], chance: random.Random) -> list[list[bytes]]:
    """Ways to spoil a proof: one bit, one hash less, one more, two exchanged."""
    spoilt = [[*proof, bytes(32)], [bytes(32), *proof], [*proof, *proof[-1:]] if proof else [bytes(32)]]
    for number, value in enumerate(proof):
        spoilt += [
            [*proof[:number], flipped(value, chance), *proof[number + 1 :]],
            proof[:number] + proof[number + 1 :],
        ]
    if len(proof) > 1:
        spoilt.append([proof[1], proof[0], *proof[2:]])
    return spoilt


def test_a_leaf_is_no_node():
    assert leaf_hash(bytes(64)) != node_hash(bytes(32), bytes(32))
