"""The canary: a recording of our own each minute, delivered the whole way, read back and compared.

It is published like any recording, and taken, queued and uploaded by any worker. The worker that
owns the canary's account begins and counts the runs, one at a time. A run's state stands in the
database, so that another worker goes on where this one dies. Only the canary may use its account
and folder.

A run whose file is not in place after LATE_SECONDS is counted as late, and stays open. So only one
recording waits while the server is away, and its file is removed when it arrives.
"""

import hashlib
import json
import time
from contextlib import closing
from datetime import timedelta

from config.accounts import Account, DeliveryMethod
from config.directory import Directory
from config.errors import AccountError, SecretError
from consumers.amqp import names, topology
from consumers.amqp.connection import Publisher
from consumers.delivery.dead_letters import DeadLetters
from consumers.ledger import Document, Ledger, Result, Run, Status
from consumers.ledger.canary import KEPT_MINUTES
from consumers.observe import CanaryEnded, Observer
from consumers.sharding.leases import Ownership
from transports import backends
from transports.base import Egress, Limits, Server
from transports.errors import LoginRefused, NameRefused, PathRefused, TransferError
from transports.sources.generated import content_of, url_of

LATE_SECONDS = 300.0
"""The service level of every recording."""
PUBLISH_AGAIN_SECONDS = 60.0
"""An event without a row after this time may have been lost with its broker."""
READ_AGAIN_SECONDS = (5.0, 15.0, 60.0)
"""Pauses before a server that did not answer is asked again; the last one repeats."""
REFUSED_SECONDS = 900.0
"""The same after a login that was refused: rule 28 of docs/rules.md."""
_ON_THE_WAY = {Status.QUEUED, Status.UPLOADING}


class Canary:
    """`look` is called by one thread, each second. Raises pymongo's errors, BrokerAway."""

    def __init__(
        self,
        account_id: str,
        directory: Directory,
        ledger: Ledger,
        publisher: Publisher,
        dead_letters: DeadLetters,
        ownership: Ownership,
        limits: Limits,
        egress: Egress,
        observe: Observer,
    ) -> None:
        self._account_id = account_id
        self._directory = directory
        self._ledger = ledger
        self._publisher = publisher
        self._dead_letters = dead_letters
        self._ownership = ownership
        self._limits = limits
        self._egress = egress
        self._observe = observe
        self._failures = 0
        self._read_at = 0.0

    def look(self) -> None:
        """Go on with the open run, or begin this minute's, if this worker owns the account."""
        if self._ownership.epoch(self._account_id) is None:
            return
        run = self._ledger.canary.see_to(self._account_id)
        if run is not None:
            self._go_on(run, self._ledger.queries.row(run.recording_id))

    def _go_on(self, run: Run, row: Document | None) -> None:
        if row is None:
            self._see_published(run)
        elif row["status"] in _ON_THE_WAY:
            self._see_late(run, _last_words(row) or "It waits in its account's queue")
        elif row["status"] == Status.DELIVERED:
            self._see_delivered(run, row["remote_path"])
        else:
            if self._dead_letters.discard(run.recording_id):
                self._dead_letters.sweep(self._account_id)
            self._count(run, Result.FAILED, _last_words(row) or f"It was {row['status']}")
            self._close(run)

    def _see_published(self, run: Run) -> None:
        if run.since_published is None:
            problem = problem_of(self._directory, self._account_id)
            if problem is not None:
                self._count(run, Result.FAILED, problem)
            if problem is not None or run.is_counted:
                self._close(run)
                return
        if run.since_published is None or run.since_published >= PUBLISH_AGAIN_SECONDS:
            self._ledger.canary.publishes(run)
            self._publisher.publish(
                topology.RECORDINGS.name,
                names.READY_KEY,
                _event(run),
                message_id=run.recording_id,
            )
        self._see_late(run, "Its event waits to be taken")

    def _see_late(self, run: Run, words: str) -> None:
        if run.seconds >= LATE_SECONDS:
            self._count(run, Result.LATE, words)

    def _see_delivered(self, run: Run, path: str) -> None:
        """Compare the file, then remove it. A server that does not answer is asked again later."""
        if time.monotonic() < self._read_at:
            return
        try:
            with closing(self._connected()) as server:
                self._ask(server, run, path)
        except (TransferError, AccountError, SecretError) as error:
            delay = READ_AGAIN_SECONDS[min(self._failures, len(READ_AGAIN_SECONDS) - 1)]
            if isinstance(error, LoginRefused):
                delay = REFUSED_SECONDS
            self._failures, self._read_at = self._failures + 1, time.monotonic() + delay
            if run.seconds >= LATE_SECONDS:
                self._count(run, Result.FAILED, f"It could not be read back: {error}")
        else:
            self._failures, self._read_at = 0, 0.0

    def _connected(self) -> Server:
        """A session at the canary's server. Raises TransferError, AccountError, SecretError."""
        login = self._directory.login(self._account_id)
        if login.settings is None:
            raise AccountError(f"The account {self._account_id!r} has no FTP settings any more.")
        password, key, client_key = self._directory.credentials_of(login)
        return backends.connect(
            login.settings, password, self._limits, self._egress, key=key, client_key=client_key
        )

    def _ask(self, server: Server, run: Run, path: str) -> None:
        """The result is stored before the file is removed: a crash in between repeats nothing."""
        if not run.is_counted:
            content = content_of(_url(run))
            try:
                found = server.read(path, len(content) + 1)
            except NameRefused as refused:
                self._count(run, Result.WRONG, f"{path} cannot be read back: {refused.words}")
                return  # the session is over: what may stand there is removed at the next look
            self._judge(run, path, content, found)
        self._see_off(server, run, path)

    def _judge(self, run: Run, path: str, content: bytes, found: bytes) -> None:
        sent, stands = hashlib.sha256(content).hexdigest(), hashlib.sha256(found).hexdigest()
        if sent == stands:
            self._count(run, Result.OK)
            return
        size = f"{len(found)} bytes" if len(found) <= len(content) else "more bytes"
        words = f"{path} is not what was sent: {size} of {len(content)}, SHA-256 {stands[:12]}"
        self._count(run, Result.WRONG, f"{words} for {sent[:12]}")

    def _see_off(self, server: Server, run: Run, path: str) -> None:
        try:
            server.remove(path)
        except PathRefused as refused:
            words = f"The server does not let its file be removed: {refused.words}"
            if self._ledger.canary.spoil(run, words):
                self._tell(run, Result.FAILED, run.seconds, words)
            raise
        self._close(run)

    def _count(self, run: Run, result: Result, words: str = "") -> None:
        if run.is_counted:
            return
        seconds = self._ledger.canary.count(run, result, words)
        if seconds is not None:
            self._tell(run, result, seconds, words)

    def _tell(self, run: Run, result: Result, seconds: float, words: str) -> None:
        self._observe(CanaryEnded(run.account_id, run.recording_id, result, seconds, words or None))

    def _close(self, run: Run) -> None:
        self._ledger.canary.close(run)
        kept = timedelta(minutes=KEPT_MINUTES)
        self._ledger.retention.forget_generated(self._account_id, kept)


def problem_of(directory: Directory, account_id: str) -> str | None:
    """Why the canary cannot use the account, in words for the operator; None where it can."""
    try:
        account = directory.find(account_id)
    except AccountError as error:
        return str(error)
    if account is None:
        return f"there is no account {account_id!r}: 'courier accounts create' makes it"
    return _problem(account, permitted=directory.may_use_ftp(account))


def _problem(account: Account, *, permitted: bool) -> str | None:
    name = account.account_id
    if not permitted:
        return f"{name!r} has no FTP access: 'courier accounts grant {name}', and above it"
    if account.settings is None:
        return f"{name!r} has no FTP settings: 'courier accounts set {name}' saves them"
    if not account.enabled:
        return f"{name!r} is switched off: 'courier accounts enable {name}'"
    if account.default_method is DeliveryMethod.EMAIL:
        return f"{name!r} leaves its recordings to e-mail: 'courier numbers default' changes that"
    if not account.settings.capabilities.removes:
        return f"the server of {name!r} lets no file be removed: each run would leave one"
    return None


def _url(run: Run) -> str:
    return url_of(run.account_id, run.minute)


def _event(run: Run) -> bytes:
    content = content_of(_url(run))
    return json.dumps(
        {
            "recording_id": run.recording_id,
            "account_id": run.account_id,
            "file_url": _url(run),
            "file_name": f"courier-canary-{run.minute}.wav",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
    ).encode()


def _last_words(row: Document) -> str:
    return str(row["last_error"]["words"]) if row["last_error"] else ""
