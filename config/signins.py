"""Slows down guessing of passwords, in MongoDB (`signins`): across processes and restarts.

Tries are counted by address and by login, as the OWASP Authentication Cheat Sheet advises. The
count by address stops a guesser of many logins, the one by login a guesser from many places. A few
tries are free; each one after that doubles the wait. The wait for a login stays short, because it
keeps its owner out too. Nothing is counted while a wait runs.
"""

from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from pymongo import ReturnDocument
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from config.documents import Document

FORGET_SECONDS = 3600
"""After this time without a try the count begins anew."""
CLEAN_SECONDS = 24 * 3600
_IPV6_NETWORK = 64
"""Addresses of this prefix belong to one customer's line (RFC 6177): they count as one."""
_MAX_DOUBLINGS = 20


@dataclass(frozen=True)
class Limit:
    """A number of free tries; then waits of 1, 2, 4 ... seconds, `longest` at most."""

    free: int
    longest: int


BY_ADDRESS = Limit(free=20, longest=900)
BY_LOGIN = Limit(free=5, longest=60)


class SignIns:
    """The tries to sign in. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document]) -> None:
        self._tries = database["signins"]

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._tries.create_index("last", expireAfterSeconds=CLEAN_SECONDS)

    def attempt(self, login: str, address: str, device: str | None = None) -> float:
        """Count a try before the password is looked at; the seconds to wait, 0 to go on.

        It counts first and in one step, so that simultaneous tries are not all let through. An
        address that has to wait does not raise a login's count: it could keep everybody out
        otherwise. A device from which its user has signed in before has a count of its own: guesses
        from elsewhere do not keep the user out.
        """
        if device is not None:
            return self._count(_device_key(device), BY_LOGIN)
        return self._count(_address_key(address), BY_ADDRESS) or self._count(
            _login_key(login), BY_LOGIN
        )

    def succeeded(self, login: str, address: str, device: str | None = None) -> None:
        """The password was right: the login's count ends, and this try of the address.

        The address's other tries still count: the owner of one password may guess others. A known
        device ends only its own count: somebody may be guessing elsewhere.
        """
        if device is not None:
            self._tries.delete_one({"_id": _device_key(device)})
            return
        self._tries.delete_one({"_id": _login_key(login)})
        counted = {"_id": _address_key(address), "tries": {"$gt": 0}}
        self._tries.update_one(counted, {"$inc": {"tries": -1}})

    def _count(self, key: str, limit: Limit) -> float:
        """Seconds to wait; where there are none, the try has been counted."""
        before = self._update(key, _counted(limit))
        if before is None or before["wait"] is None or before["wait"] <= 0:
            return 0
        return float(before["wait"]) / 1000

    def _update(self, key: str, pipeline: list[Document]) -> Document | None:
        while True:
            try:
                document: Document | None = self._tries.find_one_and_update(
                    {"_id": key},
                    pipeline,
                    upsert=True,
                    projection={"wait": 1},
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                continue  # another try made the document at the same moment
            return document


def _counted(limit: Limit) -> list[Document]:
    """One more try, unless its time has not come; `wait` says in milliseconds how long that is."""
    long_ago = {"$subtract": ["$$NOW", FORGET_SECONDS * 1000]}
    is_forgotten = {"$lte": [{"$ifNull": ["$last", long_ago]}, long_ago]}
    remaining = {"$subtract": [{"$ifNull": ["$open_at", "$$NOW"]}, "$$NOW"]}
    before = {"$cond": [is_forgotten, 0, {"$ifNull": ["$tries", 0]}]}
    too_many = {"$subtract": ["$tries", limit.free]}
    seconds = {"$min": [{"$pow": [2, {"$min": [too_many, _MAX_DOUBLINGS]}]}, limit.longest]}
    wait = {"$cond": [{"$gte": [too_many, 0]}, {"$multiply": [seconds, 1000]}, 0]}
    must_wait = {"$gt": ["$wait", 0]}
    return [
        {"$set": {"wait": remaining}},
        {"$set": {"tries": {"$cond": [must_wait, "$tries", {"$add": [before, 1]}]}}},
        {
            "$set": {
                "last": {"$cond": [must_wait, "$last", "$$NOW"]},
                "open_at": {"$cond": [must_wait, "$open_at", {"$add": ["$$NOW", wait]}]},
            }
        },
    ]


def _login_key(login: str) -> str:
    """The key of a login: a hash, of bounded length, that tells nobody who has an account."""
    return f"login:{sha256(login.strip().lower().encode(errors='replace')).hexdigest()}"


def _device_key(device: str) -> str:
    return f"device:{device}"


def _address_key(address: str) -> str:
    return f"address:{address_key(address)}"


def address_key(address: str) -> str:
    """The key of an address: all addresses of one customer's line have the same."""
    try:
        parsed: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return sha256(address.encode(errors="replace")).hexdigest()
    if isinstance(parsed, IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    if isinstance(parsed, IPv6Address):
        return str(ip_network((int(parsed), _IPV6_NETWORK), strict=False))
    return str(parsed)
