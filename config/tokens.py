"""The API's tokens in MongoDB (`tokens`): shown once, stored as a SHA-256 only.

A secret of 256 random bits needs no slow hash. It contains the token's id, by which it is found,
and a prefix by which scanners recognise leaked secrets.
"""

import re
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from hmac import compare_digest

from pydantic import SecretStr
from pymongo.database import Database

from config.accounts import Find
from config.documents import Document, of_accounts
from config.errors import TokenError, UnknownAccount
from config.permissions import Principal
from config.text import MAX_NAME, one_line

PREFIX = "courier"
TOKEN = "token:"  # noqa: S105 - how the login of a token begins
MAX_TOKENS = 100
"""Of one account, or of the service provider."""
MAX_DAYS = 3650
USED_EVERY_MS = 60_000
"""`last_used_at` is written at most this often: reading must not mean writing."""
_SECRET = re.compile(rf"{PREFIX}_(?P<id>[0-9a-f]{{16}})_[A-Za-z0-9_-]{{43}}")
_WITHOUT_HASH = {"hash": 0}


@dataclass(frozen=True)
class Token:
    """A token, never with its secret."""

    token_id: str
    name: str
    account_id: str | None
    created_at: datetime
    last_used_at: datetime | None
    read_only: bool = False
    expires_at: datetime | None = None
    created_by: str | None = None
    """The maker: a login, another token, or the user of a command."""

    @property
    def principal(self) -> Principal:
        """The principal of the token. Its name holds a colon, which no login does."""
        return Principal(f"{TOKEN}{self.token_id}", self.account_id, self.read_only)


class Tokens:
    """The tokens. `find` looks accounts up. Raises pymongo's errors where MongoDB is away."""

    def __init__(self, database: Database[Document], find: Find) -> None:
        self._tokens = database["tokens"]
        self._users = database["users"]
        self._find = find

    def ensure_indexes(self) -> None:
        """Create the indexes; those that stand are left as they are."""
        self._tokens.create_index("account_id")
        self._tokens.create_index("owner", sparse=True)

    def create(
        self,
        name: str,
        account_id: str | None,
        *,
        read_only: bool = False,
        days: int | None = None,
        creator: str | None = None,
    ) -> tuple[str, SecretStr]:
        """Add a token: its id, and the secret that is never shown again.

        Without an account it is the service provider's. It ends after `days`, and with the user who
        made it. A token made by another token ends with that token's user and time. Raises
        TokenError, UnknownAccount.
        """
        if account_id is not None and self._find(account_id) is None:
            raise UnknownAccount(account_id)
        if self._tokens.count_documents({"account_id": account_id}, limit=MAX_TOKENS) >= MAX_TOKENS:
            raise TokenError(
                f"There are {MAX_TOKENS} tokens already: revoke those that are not used any more."
            )
        owner, latest = self._origin(creator)
        token_id = secrets.token_hex(8)
        secret = f"{PREFIX}_{token_id}_{secrets.token_urlsafe(32)}"
        self._tokens.insert_one(
            {
                "_id": token_id,
                "name": _name(name),
                "account_id": account_id,
                "hash": _hash(secret),
                "created_at": datetime.now(UTC),
                "last_used_at": None,
                "read_only": read_only,
                "expires_at": _earliest(_expiry(days), latest),
                "created_by": creator,
                "owner": owner,
            }
        )
        return token_id, SecretStr(secret)

    def get(self, token_id: str) -> Token:
        """The token. Raises TokenError where there is none."""
        document = self._tokens.find_one({"_id": token_id}, _WITHOUT_HASH)
        if document is None:
            raise _unknown(token_id)
        return _token(document)

    def list(
        self, account_ids: Collection[str | None] | None = None, limit: int = 0
    ) -> Iterator[Token]:
        """All tokens, or those of the accounts named, oldest first; 0 means no limit."""
        found = self._tokens.find(of_accounts(account_ids), _WITHOUT_HASH)
        with found.sort([("created_at", 1), ("_id", 1)]).limit(limit) as cursor:
            for document in cursor:
                yield _token(document)

    def revoke(self, token_id: str) -> None:
        """Forget the token, which is refused from now on. Raises TokenError where there is none."""
        if not self._tokens.delete_one({"_id": token_id}).deleted_count:
            raise _unknown(token_id)

    def remove_of(self, account_id: str) -> None:
        """Forget the tokens of an account that is removed."""
        self._tokens.delete_many({"account_id": account_id})

    def verify(self, secret: SecretStr) -> Principal | None:
        """The principal of the secret's bearer, or None."""
        text = secret.get_secret_value()
        found = _SECRET.fullmatch(text)
        document = None if found is None else self._standing(found["id"])
        if document is None or not compare_digest(document["hash"], _hash(text)):
            return None
        if document["is_stale"]:
            self._note_use(document["_id"])
        return _token(document).principal

    def stands(self, principal: Principal) -> bool:
        """Whether the token has been neither revoked nor ended, and may do what it might."""
        document = self._standing(principal.login.removeprefix(TOKEN))
        return document is not None and document.get("read_only", False) == principal.read_only

    def maker(self, login: str) -> str | None:
        """The user with whom the token of this login ends; None where none does, or it is none."""
        return self._origin(login)[0] if login.startswith(TOKEN) else None

    def _standing(self, token_id: str) -> Document | None:
        """The token, if its time is not over and its maker may still sign in; else None.

        It may only look where its maker may.
        """
        in_time = {"$gt": [{"$ifNull": ["$expires_at", _NEVER]}, "$$NOW"]}
        document = self._tokens.find_one(
            {"_id": token_id, "$expr": in_time}, {"is_stale": _IS_STALE, **_ALL}
        )
        owner = None if document is None else document.get("owner")
        if document is None or owner is None:
            return document
        maker = self._users.find_one({"_id": owner, "disabled": False}, {"read_only": 1})
        if maker is None:
            return None
        is_read_only = document.get("read_only", False) or maker.get("read_only", False)
        return {**document, "read_only": is_read_only}

    def _origin(self, creator: str | None) -> tuple[str | None, datetime | None]:
        """The user and the time with which tokens of this creator end at the latest."""
        if creator is None or not creator.startswith(TOKEN):
            is_user = creator is not None and ":" not in creator
            return (creator if is_user else None), None
        made_by = self._tokens.find_one({"_id": creator.removeprefix(TOKEN)}) or {}
        return made_by.get("owner"), made_by.get("expires_at")

    def _note_use(self, token_id: str) -> None:
        query = {"_id": token_id, "$expr": _IS_STALE}
        self._tokens.update_one(query, [{"$set": {"last_used_at": "$$NOW"}}])


_ALL = dict.fromkeys(
    (
        "name",
        "account_id",
        "hash",
        "created_at",
        "last_used_at",
        "read_only",
        "expires_at",
        "created_by",
        "owner",
    ),
    1,
)
_NEVER = datetime.max.replace(tzinfo=UTC)
_IS_STALE: Document = {
    "$or": [
        {"$eq": ["$last_used_at", None]},
        {"$lte": ["$last_used_at", {"$subtract": ["$$NOW", USED_EVERY_MS]}]},
    ]
}


def _name(name: str) -> str:
    text = name.strip()
    try:
        one_line(text)
    except ValueError as error:
        raise TokenError(f"The token's name {error}.") from None
    if not 1 <= len(text) <= MAX_NAME:
        raise TokenError(
            f"The token's name must have 1 to {MAX_NAME} characters: say what it is used for."
        )
    return text


def _expiry(days: int | None) -> datetime | None:
    if days is None:
        return None
    if not 1 <= days <= MAX_DAYS:
        raise TokenError(f"A token may stand for 1 to {MAX_DAYS} days, or without an end.")
    return datetime.now(UTC) + timedelta(days=days)


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((each for each in moments if each is not None), default=None)


def _hash(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()


def _unknown(token_id: str) -> TokenError:
    return TokenError(
        f"There is no token {token_id!r}: 'courier tokens list' shows those there are."
    )


def _token(document: Document) -> Token:
    return Token(
        document["_id"],
        document["name"],
        document["account_id"],
        document["created_at"],
        document["last_used_at"],
        document.get("read_only", False),
        document.get("expires_at"),
        document.get("created_by"),
    )
