"""The live test, on save or alone. It runs in a thread, and the page asks for its progress.

A few tests run at once, one for each account, each with a time limit: nobody can hold the worker.
The entered values, password included, stay in memory only, until they can no longer be approved.
"""

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import ValidationError
from pymongo.errors import PyMongoError

from config.accounts import FtpSettings
from config.audit import Action, Audit
from config.errors import ConfigError, FieldRefused, PasswordAsked
from config.fields import explain
from config.ftp_settings import MAX_HOST_KEYS
from config.permissions import Principal
from transports.diagnosis import advice_for_customers
from transports.errors import (
    AccountFailure,
    CertificateChanged,
    CertificateRefused,
    CertificateUntrusted,
    ClientCertificateRefused,
    ConnectFailed,
    EgressDenied,
    EncryptionAsked,
    FtpAnswers,
    HostKeyChanged,
    LoginRefused,
    NoTlsAnswers,
    PathRefused,
    PlainAnswers,
    ProtocolFailed,
    QuotaExceeded,
    ResolveFailed,
    SshAnswers,
    StartupText,
    StrangerAnswers,
    TlsFailed,
    TransferError,
    is_platforms,
)
from transports.ftp.errors import CallBackFailed
from transports.settings_folders import SubfolderRefused
from transports.settings_report import STEPS, Step
from transports.ssh.errors import (
    CertificateNotAccepted,
    KeyNotAccepted,
    KeyNotTaken,
    KeyWanted,
    KeyWantedToo,
    PasswordWantedToo,
    RsaBySha1,
)
from worker.console.language import mark as N_
from worker.console.limits import Limits, top_of
from worker.database import Core
from worker.ftp_settings import NOTHING_GIVEN, Saved, Secrets, change, try_changes, try_stored

AT_ONCE = 4
AT_ONCE_TENANTS = AT_ONCE - 1
"""Tests at once. One is kept for the service provider, whatever its tenants do."""
AT_ONCE_EACH = 2
"""Tests at once of one top account, with all accounts beneath it."""
LIMIT_SECONDS = 180.0
"""After this time no further step is begun; the step itself has the transports' limits.

The test writes two files, and some servers confirm each only after 75 seconds.
"""
END_SECONDS = LIMIT_SECONDS + 120
"""Longest wait for a test's result: the test's limit, and the trials after its steps."""
KEPT_SECONDS = 900.0
MAX_KEPT = 200

# Threads of tests know no reader: what they say is translated where it is shown.
_NOT_ALLOWED = N_(
    "Nothing was saved: whoever began the test is signed out by now, or may not change these "
    "settings any more."
)
_TOO_LATE = N_(
    "The test was given up after %(seconds)s seconds, and nothing was saved: check the server, and "
    "try again."
)
_NO_THREAD = N_("Too much runs at this moment: try again in a minute.")
_DATABASE_AWAY = N_("The database is away, and nothing was saved: try again in a minute.")
_FAULT = N_("The test failed by a fault of the program, and nothing was saved.")

_FIELDS: tuple[tuple[type[TransferError], str], ...] = (
    (ResolveFailed, "host"),
    (EgressDenied, "host"),
    (CallBackFailed, "active_mode"),
    (ConnectFailed, "host"),
    (FtpAnswers, "protocol"),
    (SshAnswers, "protocol"),
    (EncryptionAsked, "protocol"),
    (NoTlsAnswers, "protocol"),
    (PlainAnswers, "protocol"),
    (StrangerAnswers, "host"),
    (StartupText, "username"),
    (RsaBySha1, "private_key"),
    (ProtocolFailed, "port"),
    (HostKeyChanged, "host_keys"),
    (CertificateNotAccepted, "key_certificate"),
    (KeyNotAccepted, "private_key"),
    (KeyNotTaken, "logon_type"),
    (KeyWanted, "logon_type"),
    (KeyWantedToo, "logon_type"),
    (PasswordWantedToo, "logon_type"),
    (CertificateUntrusted, "host_keys"),
    (CertificateRefused, "host"),
    (ClientCertificateRefused, "client_certificate"),
    (TlsFailed, "protocol"),
    (LoginRefused, "password"),
    (SubfolderRefused, "folder_template"),
    (PathRefused, "path"),
    (QuotaExceeded, "path"),
    (AccountFailure, "host"),
)
"""The field beside which a failure is shown; the first match counts."""


class Act(StrEnum):
    """What is asked for."""

    SAVE = "save"
    """Test the changes, and save them where that works."""
    TRY = "try"
    """Test the changes alone."""
    TRY_STORED = "try-stored"
    """Test what is stored."""


class TooManyTests(Exception):
    """No further test can begin now. Its text says why, and what to do."""


class _NoRight(Exception):
    """The principal that began the test may not save any more."""


class _GivenUp(Exception):
    """The test took too long, or the console stops."""


@dataclass
class Run:
    """One test: the values to test, and its progress or result."""

    run_id: str
    account_id: str
    top: str
    """The top account of the account's tree."""
    principal: Principal
    changes: Mapping[str, Any]
    given: Secrets = field(repr=False)
    act: Act = Act.SAVE
    began: float = field(default_factory=time.monotonic)
    steps: list[Step] = field(default_factory=list)
    saved: Saved | None = None
    problem: str | None = None
    """Why the test ended, where the server is not the reason."""
    fields: dict[str, str] = field(default_factory=dict)
    approved: tuple[str, ...] = ()
    """The host keys that may be saved because a person approved one that was shown."""
    ended: threading.Event = field(default_factory=threading.Event)

    @property
    def failure(self) -> TransferError | None:
        """The failure at the server; None where there was none."""
        return self.saved.report.failure if self.saved else None

    @property
    def advice(self) -> str:
        """What to do about the failure, for who began the test; empty where there was none."""
        failure = self.failure
        if failure is None or self.principal.is_provider:
            return failure.advice if failure else ""
        return advice_for_customers(failure.diagnosis.code, failure.advice)

    @property
    def hides_words(self) -> bool:
        """Whether what was said of the failure is not for who began the test."""
        failure = self.failure
        if failure is None or self.principal.is_provider:
            return False
        return is_platforms(failure.kind, failure.diagnosis.code)

    @property
    def words(self) -> str:
        """What was said of the failure, or its cause, for who began the test; empty where there was
        none."""
        failure = self.failure
        if failure is None:
            return ""
        return failure.diagnosis.cause if self.hides_words else failure.words

    @property
    def settings(self) -> FtpSettings | None:
        """The saved settings; None where nothing was saved."""
        return self.saved.settings if self.saved else None

    @property
    def tested(self) -> FtpSettings | None:
        """The settings that work, with what was found of the server; None where they do not."""
        return self.saved.tested if self.saved else None

    @property
    def may_be_approved(self) -> bool:
        """Whether the key that the server shows may be approved, and saved with the rest."""
        return self.act is Act.SAVE and self.shown_key is not None

    @property
    def failed_field(self) -> str | None:
        """The field that the failure points at."""
        failure = self.failure
        return next((name for kind, name in _FIELDS if isinstance(failure, kind)), None)

    @property
    def shown_key(self) -> str | None:
        """The fingerprint that the server showed instead of one that is trusted."""
        failure = self.failure
        if isinstance(failure, HostKeyChanged | CertificateUntrusted):
            return failure.shown or None
        return None

    @property
    def shows_certificate(self) -> bool:
        """Whether that is the fingerprint of a certificate."""
        return isinstance(self.failure, CertificateChanged | CertificateUntrusted)

    @property
    def pinned_keys(self) -> tuple[str, ...]:
        """The pinned fingerprints, of which the server should have shown one."""
        failure = self.failure
        return failure.pinned if isinstance(failure, HostKeyChanged) else ()

    @property
    def may_keep(self) -> bool:
        """Whether the shown key has room beside the pinned ones."""
        return len(self.pinned_keys) < MAX_HOST_KEYS


class Validations:
    """The tests that run, and those that ended lately."""

    def __init__(
        self,
        core: Core,
        audit: Audit,
        limits: Limits,
        may_save: Callable[[Principal, str], bool],
    ) -> None:
        self._core = core
        self._audit = audit
        self._limits = limits
        self._may_save = may_save
        self._lock = threading.Lock()
        self._runs: dict[str, Run] = {}
        self._stopping = False

    def start(
        self,
        principal: Principal,
        account_id: str,
        changes: Mapping[str, Any],
        given: Secrets,
        act: Act = Act.SAVE,
    ) -> Run:
        """Begin to test the changes. Raises TooManyTests, TooManyRequests."""
        top = top_of(account_id, self._core.directory.find)
        run = Run(secrets.token_urlsafe(16), account_id, top, principal, changes, given, act)
        with self._lock:
            self._forget_old()
            self._check_room(run)
            self._limits.test(principal, top)
            self._runs[run.run_id] = run
        try:
            self._begin(run)
        except RuntimeError as error:  # the system has no thread left
            run.ended.set()
            raise TooManyTests(_NO_THREAD) from error
        return run

    def _begin(self, run: Run) -> None:
        threading.Thread(target=self._work, args=(run,), name="settings-test", daemon=True).start()

    def find(self, account_id: str, run_id: str) -> Run | None:
        """The test of this id, of this account."""
        with self._lock:
            run = self._runs.get(run_id)
        return run if run is not None and run.account_id == account_id else None

    def approve(self, principal: Principal, run: Run, *, keep: bool) -> Run:
        """Repeat a test that was refused for its host key or certificate, with the one shown.

        With `keep` the pinned keys stay accepted too; without it they are forgotten. Raises
        TooManyTests, and ConfigError where there is nothing to approve.
        """
        key = run.shown_key
        if key is None or run.principal != principal or not run.may_be_approved:
            raise ConfigError(N_("There is no host key to approve: save the settings again."))
        stored = self._core.directory.get(run.account_id).settings
        keys = (*(run.pinned_keys if keep else ()), key)
        again = self.start(principal, run.account_id, {**run.changes, "host_keys": keys}, run.given)
        again.approved = keys
        self._audit.record(
            principal.login,
            Action.HOST_KEY_APPROVED,
            run.account_id,
            {"host_keys": stored.host_keys if stored else ()},
            {"host_keys": keys},
        )
        return again

    def stop(self) -> None:
        """End each test before its next step."""
        self._stopping = True

    def _check_room(self, asked: Run) -> None:
        running = [run for run in self._runs.values() if not run.ended.is_set()]
        if any(run.account_id == asked.account_id for run in running):
            raise TooManyTests(N_("These settings are being tested already: wait for the result."))
        tenants = [run for run in running if not run.principal.is_provider]
        theirs = [run for run in tenants if run.top == asked.top]
        too_many = len(theirs) >= AT_ONCE_EACH or len(tenants) >= AT_ONCE_TENANTS
        if len(running) >= AT_ONCE or (too_many and not asked.principal.is_provider):
            raise TooManyTests(N_("Other settings are being tested now: try again in a minute."))

    def _forget_old(self) -> None:
        now = time.monotonic()
        ended = [run for run in self._runs.values() if run.ended.is_set()]
        surplus = ended[: max(0, len(ended) - MAX_KEPT)]
        for run in ended:
            if now - run.began > KEPT_SECONDS or run in surplus:
                del self._runs[run.run_id]

    def _work(self, run: Run) -> None:
        try:
            self._test(run)
        except ValidationError as error:
            run.fields = explain(error)
        except PasswordAsked as error:
            run.fields = {"password": str(error)}
        except FieldRefused as error:
            run.fields = {error.field: str(error)}
        except ConfigError as error:
            run.problem = str(error)
        except _NoRight:
            run.problem = _NOT_ALLOWED
        except _GivenUp:
            run.problem = _TOO_LATE % {"seconds": f"{LIMIT_SECONDS:.0f}"}
        except PyMongoError:
            run.problem = _DATABASE_AWAY
        except BaseException:  # also of what is no Exception: the page must not wait in vain
            run.problem = _FAULT
            raise
        finally:
            if not run.may_be_approved:
                run.given, run.changes = NOTHING_GIVEN, {}
            run.ended.set()

    def _test(self, run: Run) -> None:
        def took(step: Step) -> None:
            run.steps.append(step if run.principal.is_provider else step.for_customers())
            is_late = time.monotonic() - run.began > LIMIT_SECONDS
            if self._stopping or (is_late and step.name != STEPS[-1]):
                raise _GivenUp

        def still_may() -> None:
            if not self._may_save(run.principal, run.account_id):
                raise _NoRight

        core, account_id, actor = self._core, run.account_id, run.principal.login
        match run.act:
            case Act.SAVE:
                run.saved = change(
                    core,
                    account_id,
                    run.changes,
                    run.given,
                    took,
                    actor=actor,
                    before_save=still_may,
                )
            case Act.TRY:
                run.saved = try_changes(core, account_id, run.changes, run.given, took, actor=actor)
            case Act.TRY_STORED:
                run.saved = try_stored(core, account_id, took, actor=actor)
