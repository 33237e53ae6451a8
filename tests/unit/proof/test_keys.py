"""A key is found where it lies, which is what makes its absence elsewhere worth something."""

import secrets
import subprocess
import sys

import psutil
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from proof.keys import key_in_memory, keys_in

HOLD = """
import sys
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
key = bytearray(sys.stdin.buffer.raw.read(32))
print(AESGCM(key).encrypt(bytes(12), b"what a learner wrote", b"").hex(), flush=True)
sys.stdin.readline()
key[:] = bytes(32)
print("zeroed", flush=True)
sys.stdin.readline()
"""


def test_the_key_of_a_ciphertext_is_found_in_memory_until_it_is_zeroed() -> None:
    key = secrets.token_bytes(32)
    environment = {"PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.perturb=165:glibc.malloc.tcache_count=0"}
    with subprocess.Popen(
        [sys.executable, "-c", HOLD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(key)
        child.stdin.flush()
        sealed = bytes.fromhex(child.stdout.readline().decode())
        process = psutil.Process(child.pid)
        found = key_in_memory(process, sealed=sealed, nonce=bytes(12), associated=b"")
        child.stdin.write(b"\n")
        child.stdin.flush()
        child.stdout.readline()

        assert found == key
        assert AESGCM(key).decrypt(bytes(12), sealed, b"") == b"what a learner wrote"
        assert key_in_memory(process, sealed=sealed, nonce=bytes(12), associated=b"") is None


def test_nearly_every_random_key_counts_as_one_that_could_be() -> None:
    keys = [secrets.token_bytes(32) for _ in range(2000)]

    assert sum(key in keys_in(key, step=8) for key in keys) >= 1999


@pytest.mark.parametrize("data", [bytes(32), b"The fish swims in the cold water", bytes(range(8)) * 4, b"short"])
def test_what_is_no_key_is_not_tried(data: bytes) -> None:
    assert list(keys_in(data, step=1)) == []
