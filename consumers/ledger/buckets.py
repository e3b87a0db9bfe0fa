"""Accounts in 1,024 buckets: the unit in which workers share them."""

import hashlib

BUCKETS = 1024


def bucket_of(account_id: str) -> int:
    """The bucket of an account: the same in every process and for ever."""
    return int.from_bytes(hashlib.blake2b(account_id.encode(), digest_size=8).digest()) % BUCKETS
