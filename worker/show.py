"""What people and programs are shown of accounts, recordings and numbers: one shape for each.

The keys are those of the contract; values are ready for JSON, times ISO 8601 in UTC.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from config.accounts import Account, FtpSettings
from config.alert_addresses import AlertAddress
from config.numbers import Number
from config.public_keys import PublicKey
from config.sessions import OpenSession
from config.tokens import Token
from config.users import User
from consumers.ledger import (
    Document,
    LastError,
    Status,
    Totals,
    trace_of,
)
from consumers.sharding.presence import Worker
from transports.diagnosis import by_code
from transports.errors import Speaker
from transports.job import Verified
from worker.account_facts import AccountFacts

if TYPE_CHECKING:
    from consumers.intake.invalid_queue import InvalidMessage

Shape = dict[str, Any]

DELIVERY_FIELDS = (
    "recording_id",
    "account_id",
    "status",
    "tries",
    "remote_path",
    "size",
    "last_error",
    "last_error_by",
    "created_at",
    "delivered_at",
    "reason",
    "dead_at",
    "number",
    "file_name",
    "file_url",
    "recorded_at",
    "sha256",
    "verified",
    "replaced_by",
    "replaced_at",
    "trace_id",
    "last_error_cause",
    "last_error_whose",
)
"""The keys of `delivery_shape`, in its order."""
CUSTOMERS_FIELDS = tuple(each for each in DELIVERY_FIELDS if each != "file_url")
"""Those that have a value for the account's own people."""
BEFORE_ALGORITHMS = "hash"
"""In rows from before a digest's algorithm was kept: verified by some digest."""
STATUS_WORDS: Mapping[str, str] = {
    **{status: status.value for status in Status},
    Status.DEAD_LETTERED: "dead letter",
    Status.SKIPPED: "left to e-mail",
}
"""What operators read in tables, CSV and on pages; JSON has the value itself."""
CUSTOMERS_WORDS: Mapping[str, str] = {**STATUS_WORDS, Status.DEAD_LETTERED: "skipped"}
"""What customers read: a dead letter is "skipped", and nothing else is."""
_CREDENTIALS = re.compile(r"(?<=://)[^/?#]*@")


def account_shape(facts: AccountFacts, *, for_customer: bool = False) -> Shape:
    """An account, never with its password.

    `for_customer`: for its own people, who read only advice that is theirs.
    """
    account, run = facts.account, facts.run
    error = run.last_error.for_customers() if run.last_error and for_customer else run.last_error
    return {
        "account_id": account.account_id,
        "name": account.name,
        "parent": account.parent,
        "ftp_access": account.ftp_access,
        "ftp_permitted": facts.permitted,
        "enabled": account.enabled,
        "default_method": account.default_method.value,
        "settings": settings_shape(account.settings),
        "connects_from": list(facts.connects_from),
        **keys_shape(account),
        "state": facts.state,
        "disabled_by": [reason.value for reason in facts.disabled],
        "paused": run.paused,
        "consecutive_failures": run.failures,
        "suspended_until": iso(run.suspended_until),
        "dormant_since": iso(facts.dormant_since),
        "window_opens_at": iso(facts.window_opens_at),
        "last_error": (error.words or None) if error else None,
        "last_error_advice": error.advice if error else None,
        "last_error_by": (error.said_by or None) if error else None,
        **cause_shape(error.cause if error else ""),
        "queued": facts.queued,
        "oldest_queued_seconds": round(facts.oldest_queued_seconds, 3),
        "dead_letters": facts.dead_letters,
    }


def settings_shape(settings: FtpSettings | None) -> Shape | None:
    """The settings as they are stored, with what the test on save found that the server can do."""
    if settings is None:
        return None
    stored = settings.model_dump(mode="json", exclude={"known_hosts"})
    return {**stored, "host_key": settings.host_key}


def keys_shape(account: Account) -> Shape:
    """The public halves of its key and of the one that is to take its place."""
    return {"key": _key_shape(account.key), "pending_key": _key_shape(account.pending_key)}


def _key_shape(key: PublicKey | None) -> Shape | None:
    if key is None:
        return None
    return {
        "algorithm": key.algorithm,
        "fingerprint": key.fingerprint,
        "public_key": key.line,
    }


def verified_by(means: str | None) -> str | None:
    """By what it was made sure that a file arrived whole, for a person."""
    if means is None:
        return None
    told = {
        Verified.SIZE.value: "the size that the server tells",
        Verified.REPLY.value: "the server's reply alone",
        BEFORE_ALGORITHMS: "the server's digest of the file",
    }
    return told.get(means) or f"the server's {means.upper()} of the file"


def speaker(said_by: str | None) -> str | None:
    """Who said the last words of a failure, for a person."""
    return (
        {
            Speaker.SERVER: "the customer's server",
            Speaker.SYSTEM: "the platform's operating system",
            Speaker.COURIER: "the platform, of what it has seen",
        }.get(Speaker(said_by))
        if said_by
        else None
    )


def cause_shape(code: str) -> Shape:
    """The cause of the last failure by its code, and who can mend it."""
    cause = by_code(code)
    return {
        "last_error_cause": code or None,
        "last_error_whose": cause.whose.value if cause else None,
    }


def cause_lines(code: str | None) -> Iterator[tuple[str, str]]:
    """The same for a person; nothing where it is not known."""
    cause = by_code(code or "")
    if cause is not None:
        yield "cause", f"{cause.cause} ({cause.code})"
        yield "who can mend it", cause.whose.label


def delivery_shape(row: Document, *, for_customer: bool = False) -> Shape:
    """A recording's row of the ledger.

    `for_customer`: for the account's own people, whose business is neither where the platform keeps
    the recording nor what it said of itself.
    """
    error = LastError.stored(row["last_error"]) if row["last_error"] else None
    error = error.for_customers() if error and for_customer else error
    is_delivered = row["status"] == Status.DELIVERED
    replaced = row.get("replaced")  # by a later file of the same name
    trace = trace_of(row)
    return {
        "recording_id": row["_id"],
        "account_id": row["account_id"],
        "status": row["status"],
        "tries": row["tries"],
        "remote_path": row.get("remote_path") if is_delivered else None,
        "size": row["size"],
        "last_error": (error.words or None) if error else None,
        "last_error_by": (error.said_by or None) if error else None,
        "created_at": iso(row["created_at"]),
        "delivered_at": iso(row["delivered_at"]),
        "reason": row["reason"],
        "dead_at": iso(row["dead_at"]),
        "number": row["number"],
        "file_name": row["file_name"],
        "file_url": None if for_customer else without_credentials(row["file_url"]),
        "recorded_at": row["recorded_at"],
        "sha256": row["sha256"],
        "verified": row["verified"],
        "replaced_by": replaced["by"] if replaced else None,
        "replaced_at": iso(replaced["at"]) if replaced else None,
        "trace_id": trace.trace_id if trace else None,
        **cause_shape(error.cause if error else ""),
    }


def worded(shape: Shape, words: Mapping[str, str]) -> Shape:
    """The same for people who read its status in these words."""
    return {**shape, "status": words[shape["status"]]}


def place(shape: Shape) -> str | None:
    """Where a delivered recording lies, or which one has taken its place."""
    if shape["replaced_by"] is not None:
        return f"replaced by {shape['replaced_by']}"
    path: str | None = shape["remote_path"]
    return path


def number_shape(number: Number) -> Shape:
    """A telephone number and where its recordings go."""
    return {
        "number": number.number,
        "account_id": number.account_id,
        "method": number.method.value,
    }


def user_shape(user: User) -> Shape:
    """A user of the console, never with its password's hash."""
    return {
        "login": user.login,
        "account_id": user.account_id,
        "disabled": user.disabled,
        "created_at": iso(user.created_at),
        "read_only": user.read_only,
        "second_factor": user.has_factor,
    }


def session_shape(session: OpenSession) -> Shape:
    """An open session of a user, never with what opens it."""
    return {
        "began_at": iso(session.began),
        "used_at": iso(session.used),
        "address": session.address,
        "browser": session.browser,
    }


def token_shape(token: Token) -> Shape:
    """A token of the API, never with its secret."""
    return {
        "token_id": token.token_id,
        "name": token.name,
        "account_id": token.account_id,
        "created_at": iso(token.created_at),
        "last_used_at": iso(token.last_used_at),
        "scope": "read" if token.read_only else "write",
        "expires_at": iso(token.expires_at),
        "created_by": token.created_by,
    }


def alert_address_shape(each: AlertAddress) -> Shape:
    """What the reader of an alert address has answered: confirmed or stopped."""
    return {
        "address": each.address,
        "stopped_at": iso(each.stopped_at),
        "confirmed_at": iso(each.confirmed_at),
        "left_out": each.left_out,
    }


def invalid_shape(message: "InvalidMessage") -> Shape:
    """An event that could not be used."""
    return {
        "reason": message.reason,
        "recording_id": message.recording_id,
        "account_id": message.account_id,
        "size": message.size,
        "begins": message.beginning,
    }


def status_shape(totals: Totals, workers: Sequence[Worker]) -> Shape:
    """The whole platform in a few numbers, and who works on it."""
    return {
        "accounts": totals.accounts,
        "queued": totals.queued,
        "dead_letters": totals.dead_letters,
        "oldest_queued_seconds": round(totals.oldest_queued_seconds, 3),
        "workers": len(workers),
        "worker_processes": [
            {
                "worker": each.worker,
                "host": each.host,
                "pid": each.pid,
                "state": each.state,
                "buckets": each.buckets,
            }
            for each in workers
        ],
    }


def iso(moment: datetime | None) -> str | None:
    """`2026-11-23T14:05:00.250Z`."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def without_credentials(url: str) -> str:
    """The URL without its credentials: user, password, signed query."""
    if "@" not in url and "?" not in url:
        return url
    query = urlsplit(url).query
    return _CREDENTIALS.sub("***@", url.replace(f"?{query}", "?***") if query else url)
