"""The links by which people who forgot their password choose another, in MongoDB (`users.reset`).

A link works once, for a short time, until the password is changed otherwise or another link is
made. Its token has 256 random bits and is stored as a SHA-256 only.
"""

import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from urllib.parse import urlencode

from pydantic import SecretStr
from pymongo.database import Database

from config.documents import Document
from config.moments import later
from config.passwords import check_new_password, hash_password

PATH = "/new-password"
LINK_SECONDS = 1800
"""How long a link works, and how long one that was asked for is worth sending."""
_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_IN_TIME: Document = {"$expr": {"$gt": ["$reset.at", later(-LINK_SECONDS)]}}


@dataclass(frozen=True)
class PasswordLink:
    """A link that was just made, and the account of its user."""

    url: str
    account_id: str | None


class PasswordLinks:
    """The links. Without the console's address there are none.

    Raises pymongo's errors where MongoDB is away.
    """

    def __init__(self, database: Database[Document], console_url: str | None) -> None:
        self._users = database["users"]
        self._console_url = console_url

    @property
    def possible(self) -> bool:
        """Whether links can be made."""
        return self._console_url is not None

    def make(self, login: str) -> PasswordLink | None:
        """A new link for the user, which ends earlier ones; None where it may not sign in.

        The link itself is kept nowhere: it is made when its e-mail is sent.
        """
        if self._console_url is None:
            return None
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        change = [{"$set": {"reset": {"hash": _hash(token), "at": "$$NOW"}}}]
        query = {"_id": login, "disabled": False}
        document = self._users.find_one_and_update(query, change, {"account_id": 1})
        if document is None:
            return None
        url = f"{self._console_url}{PATH}?{urlencode({'token': token})}"
        return PasswordLink(url, document["account_id"])

    def login_of(self, token: str) -> str | None:
        """The login that the link is for; None where it is none of ours, or over."""
        document = self._users.find_one(_standing(token), {"_id": 1})
        return None if document is None else str(document["_id"])

    def use(self, token: str, password: SecretStr) -> str | None:
        """Store the password, which ends the link and all sessions: the login that it is for.

        None where the link is over. Raises UserError where the password breaks a rule: the link
        goes on working then.
        """
        login = self.login_of(token)
        if login is None:
            return None
        check_new_password(password, login)
        change = {
            "$set": {"hash": hash_password(password)},
            "$unset": {"reset": ""},
            "$inc": {"session_epoch": 1},
        }
        done = self._users.update_one({"_id": login, **_standing(token)}, change)
        return login if done.matched_count else None


def _standing(token: str) -> Document:
    known = _hash(token) if _TOKEN.fullmatch(token) else None
    return {"reset.hash": {"$type": "string", "$eq": known}, "disabled": False, **_IN_TIME}


def _hash(token: str) -> str:
    return sha256(token.encode()).hexdigest()
