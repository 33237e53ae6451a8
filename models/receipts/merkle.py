"""The arithmetic of an append-only log: the Merkle tree of RFC 6962, its proofs, and how to check them.

Owns no storage. The hashes of whole subtrees come from a ``Node``: level and position to 32 bytes, where level 0 has
the hashes of leaves and position ``p`` of level ``l`` covers the leaves from ``p * 2**l`` on. With those stored, a
root or a proof needs O(log n) of them, and an append adds one on average.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

HASH_BYTES = 32
Node = Callable[[int, int], bytes]


class ProofInvalid(ValueError):
    """The proof does not show what it was given for."""


def leaf_hash(data: bytes) -> bytes:
    """Return the hash of one entry."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two neighbouring subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def nodes_of(leaves: Sequence[bytes]) -> Node:
    """Return the nodes over entries that are all in memory."""
    levels = [[leaf_hash(leaf) for leaf in leaves]]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(*below[place : place + 2]) for place in range(0, len(below) - 1, 2)])
    return lambda level, position: levels[level][position]


def siblings(index: int) -> list[tuple[int, int]]:
    """Return the nodes, lowest first, that an append at ``index`` joins with what it adds."""
    found = list[tuple[int, int]]()
    while index >> len(found) & 1:
        found.append((len(found), (index >> len(found)) - 1))
    return found


def added(index: int, leaf: bytes, node: Node) -> Iterator[tuple[int, int, bytes]]:
    """Yield the nodes that become whole with entry ``index``, whose hash is ``leaf``; ``node`` needs ``siblings``."""
    current = leaf
    yield 0, index, current
    for level, position in siblings(index):
        current = node_hash(node(level, position), current)
        yield level + 1, index >> (level + 1), current


def root(size: int, node: Node) -> bytes:
    """Return the root over the first ``size`` entries; that of none is the hash of nothing."""
    return _over(0, size, node) if size else hashlib.sha256(b"").digest()


def inclusion(index: int, size: int, node: Node) -> list[bytes]:
    """Return the proof that entry ``index`` is among the first ``size`` (RFC 6962, 2.1.1), lowest hash first."""
    proof, start, end = list[bytes](), 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_over(middle, end, node))
            end = middle
        else:
            proof.append(_over(start, middle, node))
            start = middle
    return proof[::-1]


def consistency(old: int, new: int, node: Node) -> list[bytes]:
    """Return the proof that the first ``new`` entries begin with the first ``old`` (RFC 6962, 2.1.2)."""
    proof, start, end, is_whole = list[bytes](), 0, new, True
    if not 0 < old < new:
        return proof
    while old < end:
        middle = start + _split(end - start)
        if old <= middle:
            proof.append(_over(middle, end, node))
            end = middle
        else:
            proof.append(_over(start, middle, node))
            start, is_whole = middle, False
    return ([] if is_whole else [_over(start, end, node)]) + proof[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root_hash: bytes) -> None:
    """Check that the entry with hash ``leaf`` has place ``index`` in the tree (RFC 9162, 2.1.3.2).

    Raises ``ProofInvalid``.
    """
    if not 0 <= index < size:
        raise ProofInvalid
    place, last, current = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ProofInvalid
        if place & 1 or place == last:
            current = node_hash(sibling, current)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            current = node_hash(current, sibling)
        place, last = place >> 1, last >> 1
    if last or current != root_hash:
        raise ProofInvalid


def check_consistency(old: int, new: int, proof: Sequence[bytes], *, old_root: bytes, new_root: bytes) -> None:
    """Check that the tree of ``new`` entries only adds to that of ``old`` (RFC 9162, 2.1.4.2).

    Raises ``ProofInvalid``.
    """
    if not 0 <= old <= new:
        raise ProofInvalid
    if old in {0, new}:
        if proof or (old == new and old_root != new_root) or (old == 0 and old_root != hashlib.sha256(b"").digest()):
            raise ProofInvalid
        return
    if _roots_from(old, new, proof, old_root) != (old_root, new_root):
        raise ProofInvalid


def _roots_from(old: int, new: int, proof: Sequence[bytes], old_root: bytes) -> tuple[bytes, bytes]:
    hashes = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    if not hashes:
        raise ProofInvalid
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    older = newer = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            raise ProofInvalid
        if place & 1 or place == last:
            older, newer = node_hash(sibling, older), node_hash(sibling, newer)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            newer = node_hash(newer, sibling)
        place, last = place >> 1, last >> 1
    if last:
        raise ProofInvalid
    return older, newer


def _over(start: int, end: int, node: Node) -> bytes:
    """Return the hash over entries from ``start`` to ``end``; ``start`` is where RFC 6962 splits."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return node(level, start >> level)
    middle = start + _split(count)
    return node_hash(_over(start, middle, node), _over(middle, end, node))


def _split(count: int) -> int:
    """Return the largest power of two below ``count``."""
    return 1 << ((count - 1).bit_length() - 1)
