"""The console's users in MongoDB (`users`).

A user belongs to an account or, without one, to the service provider. `session_epoch` is part of
every session. A new password, a changed second factor or disabling the user raises it, which ends
earlier sessions. `config.factors` and `config.password_links` keep `factor` and `reset` in the same
document.
"""

import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import SecretStr
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from config.accounts import Find
from config.documents import Document, of_accounts
from config.errors import LoginTaken, UnknownAccount, UserError
from config.passwords import (
    check_new_password,
    generate_password,
    hash_password,
    is_outdated,
    is_password,
)
from config.permissions import Principal
from config.sessions import OpenSessions
from config.text import is_email

__all__ = ["Principal", "User", "Users", "generate_password"]

_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_EPOCH_BITS = 48
_WITHOUT_SECRETS = {
    "hash": 0,
    "factor.secret": 0,
    "factor.recovery": 0,
    "new_factor": 0,
    "reset": 0,
}


@dataclass(frozen=True)
class User:
    """Who may sign in, never with the password's hash or the second factor's secret."""

    login: str
    account_id: str | None
    disabled: bool
    created_at: datetime
    session_epoch: int
    read_only: bool = False
    """True where it sees all of its account and changes nothing."""
    has_factor: bool = False
    """Whether a sign-in takes a code besides the password."""
    language: str = ""
    """The code of the language that it has chosen for the console; empty: as its browser asks."""

    @property
    def principal(self) -> Principal:
        """The principal of the user."""
        return Principal(self.login, self.account_id, self.read_only, language=self.language)


class Users:
    """The users. `find` looks accounts up. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], find: Find) -> None:
        self._users = database["users"]
        self._tokens = database["tokens"]
        self._sessions = OpenSessions(database)
        self._find = find

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._users.create_index("account_id")
        self._users.create_index("reset.hash", sparse=True)

    def create(
        self,
        login: str,
        account_id: str | None,
        password: SecretStr,
        *,
        read_only: bool = False,
    ) -> User:
        """Add a user. Raises LoginTaken, UserError where it breaks a rule, UnknownAccount."""
        name = check_login(login)
        check_new_password(password, name)
        if account_id is not None and self._find(account_id) is None:
            raise UnknownAccount(account_id)
        document: Document = {
            "_id": name,
            "account_id": account_id,
            "hash": hash_password(password),
            "disabled": False,
            "created_at": datetime.now(UTC),
            # No session of an earlier user of this name may fit.
            "session_epoch": secrets.randbits(_EPOCH_BITS),
            "read_only": read_only,
        }
        try:
            self._users.insert_one(document)
        except DuplicateKeyError:
            raise LoginTaken(name) from None
        return _user(document)

    def get(self, login: str) -> User:
        """The user. Raises UserError where there is none."""
        document = self._users.find_one({"_id": _known_as(login)}, _WITHOUT_SECRETS)
        if document is None:
            raise _unknown(login)
        return _user(document)

    def list(
        self, account_ids: Collection[str | None] | None = None, limit: int = 0
    ) -> Iterator[User]:
        """All users, or those of the accounts named, by login; 0 means no limit."""
        found = self._users.find(of_accounts(account_ids), _WITHOUT_SECRETS)
        with found.sort("_id").limit(limit) as cursor:
            for document in cursor:
                yield _user(document)

    def reset_password(self, login: str, password: SecretStr) -> None:
        """Store another password; sessions from before are over. Raises UserError."""
        name = _known_as(login)
        check_new_password(password, name or "")
        change = {"$set": {"hash": hash_password(password)}, "$unset": {"reset": ""}}
        self._end_sessions(login, change)

    def set_read_only(self, login: str, *, read_only: bool) -> None:
        """Let the user only look, or change things too; it holds from the next request on.

        Raises UserError.
        """
        self._change(login, {"$set": {"read_only": read_only}})

    def set_language(self, login: str, language: str) -> None:
        """Keep the language that the user reads pages in; empty forgets it. Raises UserError."""
        change = {"$set": {"language": language}} if language else {"$unset": {"language": ""}}
        self._change(login, change)

    def end_sessions(self, login: str) -> None:
        """End the user's sessions, and sign-ins that are under way. Raises UserError."""
        self._end_sessions(login, {})

    def set_disabled(self, login: str, *, disabled: bool) -> None:
        """Lock the user out, sessions included, or let it in again. Raises UserError."""
        self._end_sessions(login, {"$set": {"disabled": disabled}})

    def remove(self, login: str) -> None:
        """Forget the user, its sessions and the tokens it has made. Raises UserError.

        The tokens go first: if the removal is cut short, they must not work again for a later user
        of the same login.
        """
        self._tokens.delete_many({"owner": _known_as(login)})
        if not self._users.delete_one({"_id": _known_as(login)}).deleted_count:
            raise _unknown(login)
        self._tokens.delete_many({"owner": _known_as(login)})
        self._sessions.end_all(login.lower())

    def remove_of(self, account_id: str) -> None:
        """Forget the users of an account that is removed, and the tokens they have made."""
        logins = [user.login for user in self.list([account_id])]
        self._tokens.delete_many({"owner": {"$in": logins}})
        self._users.delete_many({"account_id": account_id})
        for login in logins:
            self._sessions.end_all(login)

    def verify(self, login: str, password: SecretStr) -> User | None:
        """The user, if the password is right; else None.

        It takes as long for an unknown or disabled user, so that the time does not tell who exists
        (OWASP Authentication Cheat Sheet). A hash of older parameters is made anew.
        """
        document = self._users.find_one({"_id": _known_as(login)})
        stored = None if document is None or document["disabled"] else str(document["hash"])
        if not is_password(stored, password) or document is None or stored is None:
            return None
        if is_outdated(stored):
            seen = {"_id": document["_id"], "hash": stored}
            self._users.update_one(seen, {"$set": {"hash": hash_password(password)}})
        return _user(document)

    def session(self, login: str, session_epoch: int) -> Principal | None:
        """The principal of a session; None where it is over."""
        query = {"_id": login, "session_epoch": session_epoch, "disabled": False}
        document = self._users.find_one(query, _WITHOUT_SECRETS)
        return None if document is None else _user(document).principal

    def stands(self, principal: Principal) -> bool:
        """Whether the user still exists, in the same account and role, and is not locked out."""
        query = {"_id": principal.login, "account_id": principal.account_id, "disabled": False}
        document = self._users.find_one(query, {"read_only": 1})
        return document is not None and document.get("read_only", False) == principal.read_only

    def find(self, login: str) -> User | None:
        """The user, or None, also for what is no login."""
        document = self._users.find_one({"_id": _known_as(login)}, _WITHOUT_SECRETS)
        return None if document is None else _user(document)

    def _end_sessions(self, login: str, change: Document) -> None:
        """Change the user; its sessions end, and what they have begun: it asks for them."""
        self._change(login, {**change, "$inc": _NEXT_EPOCH})
        self._sessions.end_all(login.lower())

    def _change(self, login: str, change: Document) -> None:
        if not self._users.update_one({"_id": _known_as(login)}, change).matched_count:
            raise _unknown(login)


_NEXT_EPOCH = {"session_epoch": 1}


def check_login(login: str) -> str:
    """The login as it is stored: lower case. Raises UserError where it is none.

    ASCII only. It is checked before lowering, because lowering turns some other letters (the Kelvin
    sign) into ASCII.
    """
    if not _is_login(login):
        raise UserError(
            "A login is an e-mail address, or up to 64 letters, digits, '.', '_' or '-' "
            "beginning with a letter or a digit."
        )
    return login.lower()


def _is_login(login: str) -> bool:
    return _LOGIN.fullmatch(login) is not None or is_email(login)


def _known_as(login: str) -> str | None:
    return login.lower() if _is_login(login) else None


def _unknown(login: str) -> UserError:
    return UserError(f"There is no user {login!r}: 'courier users list' shows those there are.")


def _user(document: Document) -> User:
    return User(
        document["_id"],
        document["account_id"],
        document["disabled"],
        document["created_at"],
        document["session_epoch"],
        document.get("read_only", False),
        "factor" in document,
        document.get("language", ""),
    )
