"""Digests as servers tell them."""

import hashlib
import os

import pytest

from config.accounts import HashAlgorithm
from transports.digests import digest_of, new_digest

CONTENT = os.urandom(5000)


@pytest.mark.parametrize("algorithm", HashAlgorithm)
def test_it_is_the_same_however_it_was_cut(algorithm: HashAlgorithm) -> None:
    digest = new_digest(algorithm)
    for start in range(0, len(CONTENT), 700):
        digest.update(CONTENT[start : start + 700])
    assert digest.hexdigest() == digest_of(CONTENT, algorithm)


def test_it_is_that_of_its_name() -> None:
    assert digest_of(CONTENT, HashAlgorithm.SHA256) == hashlib.sha256(CONTENT).hexdigest()
    assert digest_of(b"123456789", HashAlgorithm.CRC32) == "cbf43926"
    assert digest_of(b"", HashAlgorithm.CRC32) == "00000000"
