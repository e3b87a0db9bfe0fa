"""What people and programs are shown of accounts, recordings and numbers: one shape for each.

The keys are those of the contract; values are ready for JSON, times ISO 8601 in UTC.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from config.accounts import Account, FtpSettings, may_use_ftp
from config.alert_addresses import AlertAddress
from config.numbers import Number
from config.public_keys import PublicKey
from config.tokens import Token
from config.users import User
from consumers.intake.invalid_queue import InvalidMessage
from consumers.ledger import (
    NO_FILES,
    Counts,
    Document,
    RunState,
    Status,
    Totals,
    shown_state,
    trace_of,
)
from consumers.sharding.presence import Worker
from transports.errors import Speaker
from worker.core import Core

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
)
"""The keys of `delivery_shape`, in its order."""
STATUS_WORDS = {
    **{status: status.value for status in Status},
    Status.DEAD_LETTERED: "dead letter",
    Status.SKIPPED: "left to e-mail",
}
"""What operators read in tables and on pages; programs get the value itself."""
CUSTOMERS_WORDS = {**STATUS_WORDS, Status.DEAD_LETTERED: "skipped"}
"""What customers read: a dead letter is "skipped", and nothing else is."""
_CREDENTIALS = re.compile(r"(?<=://)[^/?#]*@")


@dataclass(frozen=True)
class AccountFacts:
    """An account with its running state and its files, read together."""

    account: Account
    run: RunState
    permitted: bool
    counts: Counts

    @property
    def state(self) -> str:
        """The state as people see it."""
        return shown_state(self.account, self.run, permitted=self.permitted)

    @property
    def why_disabled(self) -> str:
        """The sentence that says which of the three switches of a disabled account is off."""
        if not self.permitted:
            above = (
                "an account above it has none" if self.account.ftp_access else "it was not granted"
            )
            return f"The account has no FTP access: {above}. Files stay queued until it has."
        if self.account.settings is None:
            return "No FTP settings are stored yet. Files stay queued until there are."
        return "The FTP settings are switched off. Files stay queued until they are switched on."

    @property
    def queued(self) -> int:
        """The files on their way."""
        return self.counts.files[Status.QUEUED] + self.counts.files[Status.UPLOADING]

    @property
    def ended(self) -> dict[Status, int]:
        """The number of files in each final status; empty where many accounts were read at once."""
        over = (Status.DELIVERED, Status.DEAD_LETTERED, Status.DISCARDED, Status.SKIPPED)
        return {status: self.counts.files[status] for status in over if self.counts.files[status]}

    @property
    def oldest_queued_seconds(self) -> float:
        """The age of the oldest file on its way; 0 where there is none."""
        oldest = self.counts.oldest
        return max(0.0, (self.run.now - oldest).total_seconds()) if oldest else 0.0

    @property
    def dead_letters(self) -> int:
        """The files that were given up for now."""
        return self.counts.files[Status.DEAD_LETTERED]


def read_account(core: Core, account_id: str) -> AccountFacts:
    """One account. Raises UnknownAccount."""
    account = core.directory.get(account_id)
    return AccountFacts(
        account,
        core.ledger.accounts.read(account_id),
        core.directory.may_use_ftp(account),
        core.ledger.queries.counts(account_id),
    )


def read_state(core: Core, account_id: str) -> AccountFacts:
    """The same without its files, which need not be counted then. Raises UnknownAccount."""
    account = core.directory.get(account_id)
    permitted = core.directory.may_use_ftp(account)
    return AccountFacts(account, core.ledger.accounts.read(account_id), permitted, NO_FILES)


def read_accounts(core: Core) -> Iterator[AccountFacts]:
    """All accounts by id, with three queries however many there are."""
    accounts = {account.account_id: account for account in core.directory.list()}
    runs = core.ledger.accounts.read_all()
    counts = core.ledger.queries.counts_by_account()
    for account_id, account in accounts.items():
        if account_id in runs:
            permitted = may_use_ftp(account, accounts.get)
            yield AccountFacts(
                account, runs[account_id], permitted, counts.get(account_id, NO_FILES)
            )


def account_shape(facts: AccountFacts) -> Shape:
    """An account, never with its password."""
    account, run = facts.account, facts.run
    return {
        "account_id": account.account_id,
        "name": account.name,
        "parent": account.parent,
        "ftp_access": account.ftp_access,
        "ftp_permitted": facts.permitted,
        "enabled": account.enabled,
        "default_method": account.default_method.value,
        "settings": settings_shape(account.settings),
        **keys_shape(account),
        "state": facts.state,
        "consecutive_failures": run.failures,
        "suspended_until": iso(run.suspended_until),
        "last_error": run.last_error.words if run.last_error else None,
        "last_error_advice": run.last_error.advice if run.last_error else None,
        "last_error_by": (run.last_error.said_by or None) if run.last_error else None,
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


def delivery_shape(row: Document) -> Shape:
    """A recording's row of the ledger."""
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
        "last_error": row["last_error"]["words"] if row["last_error"] else None,
        "last_error_by": (row["last_error"] or {}).get("said_by") or None,
        "created_at": iso(row["created_at"]),
        "delivered_at": iso(row["delivered_at"]),
        "reason": row["reason"],
        "dead_at": iso(row["dead_at"]),
        "number": row["number"],
        "file_name": row["file_name"],
        "file_url": without_credentials(row["file_url"]),
        "recorded_at": row["recorded_at"],
        "sha256": row["sha256"],
        "verified": row["verified"],
        "replaced_by": replaced["by"] if replaced else None,
        "replaced_at": iso(replaced["at"]) if replaced else None,
        "trace_id": trace.trace_id if trace else None,
    }


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


def invalid_shape(message: InvalidMessage) -> Shape:
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
    query = urlsplit(url).query
    return _CREDENTIALS.sub("***@", url.replace(f"?{query}", "?***") if query else url)
