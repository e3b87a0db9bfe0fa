"""Second factors in MongoDB (`users`): codes of an authenticator (TOTP, RFC 6238), recovery codes.

The authenticator's secret is stored encrypted, recovery codes as hashes. Each code is taken once:
the update that takes it writes down its step of time (RFC 6238 section 5.2), or removes its hash.
A secret waits in `new_factor` until a code shows that an authenticator has it.
"""

import re
import secrets
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto
from hashlib import sha256
from hmac import compare_digest

import pyotp
from pydantic import SecretStr
from pymongo.database import Database

from config import stored_passwords
from config.documents import Document
from config.errors import UserError
from config.moments import later
from config.secrets import Vault
from config.sessions import OpenSessions
from config.stored_passwords import Rotation

RECOVERY_CODES = 10
SET_UP_SECONDS = 900
"""How long a new secret waits for its first code."""
_RECOVERY_BYTES = 10
"""80 random bits need no slow hash: nobody tries them all, with the database in hand either."""
_GROUP = 4
_STEPS_AROUND = (-1, 0, 1)
"""Clocks may differ by a step of 30 seconds (RFC 6238 section 5.2)."""
_CODE = re.compile(r"[0-9]{6}")
_RECOVERY = re.compile(r"[a-z2-7]{16}")
_LONGEST = 64
_SECRETS = ("factor.secret", "new_factor.secret")
_HAS_NONE: Document = {"factor": {"$exists": False}}


class Means(Enum):
    """What a code was."""

    CODE = auto()
    RECOVERY = auto()


@dataclass(frozen=True)
class Factor:
    """A user's second factor, never with its secret."""

    since: datetime
    recovery_left: int


class Factors:
    """The second factors. Raises pymongo's errors where MongoDB is away.

    What reads or stores a secret raises SecretError where COURIER_SECRET_KEYS does not serve.
    """

    def __init__(self, database: Database[Document], vault: Vault) -> None:
        self._users = database["users"]
        self._sessions = OpenSessions(database)
        self._vault = vault

    def find(self, login: str) -> Factor | None:
        """The user's second factor; None where it has none."""
        factor = self._factor(login)
        return None if factor is None else Factor(factor["since"], len(factor["recovery"]))

    def prepare(self, login: str) -> None:
        """Make a secret that waits for its first code. Raises UserError where one is in use."""
        token = self._vault.encrypt(SecretStr(pyotp.random_base32()))
        waiting = {"secret": {"$literal": token}, "at": "$$NOW"}
        change = [{"$set": {"new_factor": waiting}}]
        if not self._users.update_one({"_id": login, **_HAS_NONE}, change).matched_count:
            raise UserError("The second factor is on already: switch it off first.")

    def prepared(self, login: str) -> SecretStr | None:
        """The secret that waits; None where none does, or its time is over."""
        token = self._waiting(login)
        return None if token is None else self._vault.decrypt(token)

    def enable(self, login: str, code: str) -> tuple[str, ...] | None:
        """Take the waiting secret into use: the recovery codes, which are never shown again.

        Sessions from before end. None where the code is wrong. Raises UserError where no secret
        waits.
        """
        token = self._waiting(login)
        if token is None:
            raise UserError("This was begun too long ago: begin again.")
        step = _step_of(self._vault.decrypt(token), _typed(code))
        if step is None:
            return None
        codes = _recovery_codes()
        factor = {
            "secret": {"$literal": token},
            "since": "$$NOW",
            "step": step,
            "recovery": {"$literal": _hashes(login, codes)},
        }
        next_epoch = {"$add": ["$session_epoch", 1]}
        change: list[Document] = [
            {"$set": {"factor": factor, "session_epoch": next_epoch}},
            {"$unset": "new_factor"},
        ]
        query = {"_id": login, "new_factor.secret": token, **_HAS_NONE}
        if not self._users.update_one(query, change).matched_count:
            raise UserError("The second factor was changed elsewhere: look at what it is now.")
        return codes

    def accept(self, login: str, code: str) -> Means | None:
        """Take a code of the authenticator, or a recovery code, once; None where it is neither."""
        factor, typed = self._factor(login), _typed(code)
        if factor is None:
            return None
        if _CODE.fullmatch(typed) and self._take_code(login, factor, typed):
            return Means.CODE
        if _RECOVERY.fullmatch(typed) and self._take_recovery(login, factor, typed):
            return Means.RECOVERY
        return None

    def renew_recovery(self, login: str) -> tuple[str, ...]:
        """Make new recovery codes; the old ones open nothing. Raises UserError without a factor."""
        codes = _recovery_codes()
        change = {"$set": {"factor.recovery": _hashes(login, codes)}}
        in_use = {"_id": login, "factor": {"$exists": True}}
        if not self._users.update_one(in_use, change).matched_count:
            raise UserError("There is no second factor: set one up first.")
        return codes

    def remove(self, login: str) -> bool:
        """Forget the second factor; sessions end. False where there was none."""
        change = {"$unset": {"factor": "", "new_factor": ""}, "$inc": {"session_epoch": 1}}
        in_use = {"_id": login, "factor": {"$exists": True}}
        was_there = self._users.update_one(in_use, change).matched_count > 0
        if was_there:
            self._sessions.end_all(login)
        return was_there

    def rotate(self, vault: Vault) -> Rotation:
        """Encrypt every secret with the vault's first key. Raises SecretError without a key."""
        return stored_passwords.rotate(self._users, vault, _SECRETS)

    def _factor(self, login: str) -> Document | None:
        document = self._users.find_one({"_id": login}, {"factor": 1}) or {}
        factor: Document | None = document.get("factor")
        return factor

    def _waiting(self, login: str) -> str | None:
        """The stored token of the secret that waits."""
        in_time = {"$expr": {"$gt": ["$new_factor.at", later(-SET_UP_SECONDS)]}}
        document = self._users.find_one({"_id": login, **_HAS_NONE, **in_time}, {"new_factor": 1})
        return None if document is None else str(document["new_factor"]["secret"])

    def _take_code(self, login: str, factor: Document, typed: str) -> bool:
        step = _step_of(self._vault.decrypt(factor["secret"]), typed)
        if step is None:
            return False
        unused = {"_id": login, "factor.since": factor["since"], "factor.step": {"$lt": step}}
        change = {"$set": {"factor.step": step}}
        return self._users.update_one(unused, change).matched_count > 0

    def _take_recovery(self, login: str, factor: Document, typed: str) -> bool:
        wanted = _hash(login, typed)
        if not [each for each in factor["recovery"] if compare_digest(each, wanted)]:
            return False
        unused = {"_id": login, "factor.recovery": wanted}
        change = {"$pull": {"factor.recovery": wanted}}
        return self._users.update_one(unused, change).matched_count > 0


def address_for_authenticators(secret: SecretStr, login: str, issuer: str) -> str:
    """The `otpauth://` address that a QR code shows to an authenticator."""
    totp = pyotp.TOTP(secret.get_secret_value())
    return totp.provisioning_uri(name=login, issuer_name=issuer)


def _step_of(secret: SecretStr, typed: str) -> int | None:
    """The step of time whose code was typed, of those around now; None where it is none of them."""
    totp = pyotp.TOTP(secret.get_secret_value())
    now = totp.timecode(datetime.now(UTC))
    fits = [each for each in _STEPS_AROUND if _is_code(totp, now + each, typed)]
    return now + fits[-1] if fits else None


def _is_code(totp: pyotp.TOTP, step: int, typed: str) -> bool:
    return compare_digest(totp.generate_otp(step).encode(), typed.encode(errors="replace"))


def _typed(code: str) -> str:
    """The code without the gaps that people type, and no longer than any code is."""
    return "".join(code[:_LONGEST].split()).replace("-", "").lower()


def _recovery_codes() -> tuple[str, ...]:
    return tuple(_recovery_code() for _ in range(RECOVERY_CODES))


def _recovery_code() -> str:
    text = b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode().lower()
    return "-".join(text[at : at + _GROUP] for at in range(0, len(text), _GROUP))


def _hashes(login: str, codes: Iterable[str]) -> list[str]:
    return [_hash(login, _typed(each)) for each in codes]


def _hash(login: str, typed: str) -> str:
    return sha256(f"{login}\n{typed}".encode()).hexdigest()
