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
    forget: int = FORGET_SECONDS
    """Seconds without a try after which the count begins anew; `CLEAN_SECONDS` at most."""


BY_ADDRESS = Limit(free=20, longest=900)
BY_LOGIN = Limit(free=5, longest=60)
BY_CODE = Limit(free=5, longest=3600, forget=CLEAN_SECONDS)
"""Codes of the second factor: who guesses them knows the password, and a million is not many.

Whoever guesses on for days has about 24 tries a day."""
GUESSES, GUESS_SECONDS = 5, 900
"""So many wrong codes within this time are guesses: the user is told, once in `TOLD_SECONDS`."""
TOLD_SECONDS = 24 * 3600


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

    def attempt_code(self, login: str, device: str | None = None) -> float:
        """Count a try of a second factor's code before it is looked at; the seconds to wait.

        A known device has a count of its own here, too.
        """
        return self._count(_code_key(login, device), BY_CODE)

    def guessed(self, login: str) -> str | None:
        """Count a wrong code, from whichever browser. Returns by what a warning is known where its
        user is to be told now that somebody guesses: the same until `told` says that it is stored.

        A right code does not end this count: else the user's own sign-ins would hide a guesser.
        """
        warning: str | None = self._update(_guesses_key(login), _GUESSED, "warning").get("warning")
        return warning

    def told(self, login: str) -> None:
        """The warning is stored: the next one is a day away."""
        self._tries.update_one({"_id": _guesses_key(login)}, [{"$set": {"told_at": "$$NOW"}}])

    def code_succeeded(self, login: str, device: str | None = None) -> None:
        """The code was right: its count ends."""
        self._tries.delete_one({"_id": _code_key(login, device)})

    def _count(self, key: str, limit: Limit) -> float:
        """Seconds to wait; where there are none, the try has been counted."""
        wait = self._update(key, _counted(limit), "wait").get("wait")
        return 0 if wait is None or wait <= 0 else float(wait) / 1000

    def _update(self, key: str, pipeline: list[Document], field: str) -> Document:
        while True:
            try:
                document: Document | None = self._tries.find_one_and_update(
                    {"_id": key},
                    pipeline,
                    upsert=True,
                    projection={field: 1},
                    return_document=ReturnDocument.AFTER,
                )
            except DuplicateKeyError:
                continue  # another try made the document at the same moment
            return document or {}


def _counted(limit: Limit) -> list[Document]:
    """One more try, unless its time has not come; `wait` says in milliseconds how long that is."""
    long_ago = {"$subtract": ["$$NOW", limit.forget * 1000]}
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


_RECENT: Document = {
    "$filter": {
        "input": {"$ifNull": ["$wrong_at", []]},
        "cond": {"$gt": ["$$this", {"$subtract": ["$$NOW", GUESS_SECONDS * 1000]}]},
    }
}
_TOLD_LATELY: Document = {"$gt": ["$told_at", {"$subtract": ["$$NOW", TOLD_SECONDS * 1000]}]}
_ARE_MANY: Document = {"$gte": [{"$size": "$wrong_at"}, GUESSES]}
_IS_DUE: Document = {"$and": [_ARE_MANY, {"$not": [_TOLD_LATELY]}]}
_TODAY: Document = {"$dateTrunc": {"date": "$$NOW", "unit": "day"}}
_WARNING: Document = {
    "$dateToString": {"date": {"$ifNull": ["$told_at", _TODAY]}, "format": "%Y%m%dT%H%M%S%L"}
}
"""When the user was told the last time, or else the day."""
_GUESSED: list[Document] = [
    {"$set": {"wrong_at": {"$slice": [{"$concatArrays": [_RECENT, ["$$NOW"]]}, -GUESSES]}}},
    {"$set": {"warning": {"$cond": [_IS_DUE, _WARNING, None]}, "last": "$$NOW"}},
]
"""One more wrong code."""


def _login_key(login: str) -> str:
    """The key of a login: a hash, of bounded length, that tells nobody who has an account."""
    return f"login:{sha256(login.strip().lower().encode(errors='replace')).hexdigest()}"


def _guesses_key(login: str) -> str:
    return f"guesses:{_login_key(login)}"


def _device_key(device: str) -> str:
    return f"device:{device}"


def _code_key(login: str, device: str | None) -> str:
    return f"code:{_login_key(login) if device is None else _device_key(device)}"


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
