"""Changes an account's FTP settings: merged with those stored, tested, then saved.

Each test is noted in the audit: its target, who asked for it, how it ended.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

from pydantic import SecretStr
from pymongo.errors import PyMongoError

from config.audit import Action, Audit
from config.capabilities import Capabilities
from config.client_certificates import check_client_certificate, read_client_key
from config.credentials import (
    Credentials,
    stored_client_key,
    stored_key,
    stored_new_key,
    stored_password,
)
from config.destination import check_password_stays, merged, moved, target
from config.directory import StoredLogin
from config.errors import AccountError, ConfigError, FieldRefused, PasswordAsked
from config.ftp_settings import FtpSettings, FtpSettingsInput, check_password
from config.key_certificates import check_certificate
from config.private_keys import read_private_key
from config.protocols import Protocol
from config.secrets import Vault
from config.settings import Settings
from config.ssh_keys import KeyPair, comment_of
from consumers.delivery.login_errors import AddressBlocked
from consumers.delivery.server_policy import NotLetIn, Times, is_block_of_a_test, met_by
from transports.base import Limits
from transports.errors import LoginRefused, TransferError
from transports.settings_report import Meaning, Step, TestReport, as_it_is
from worker import audit_facts
from worker.core import Core, egress, make_addresses

OnStep = Callable[[Step], None]


class Secrets(NamedTuple):
    """What a person gave that is never shown; None keeps what is stored."""

    password: SecretStr | None = None
    private_key: SecretStr | None = None
    passphrase: SecretStr | None = None
    """Of the private key as it was given."""
    client_key: SecretStr | None = None
    client_key_passphrase: SecretStr | None = None
    """Of the client key as it was given."""


NOTHING_GIVEN = Secrets()


def secrets_of(entered: FtpSettingsInput) -> Secrets:
    """Those among what was entered."""
    return Secrets(*(getattr(entered, name) for name in Secrets._fields))


@dataclass(frozen=True)
class Saved:
    """What the test showed, and the settings that were saved; None where it failed."""

    report: TestReport
    settings: FtpSettings | None
    pinned: bool = False
    """Whether this save was the one that pinned the server's host key."""
    tested: FtpSettings | None = None
    """What was tested, with what was found of the server; None where that failed."""


def change(
    core: Core,
    account_id: str,
    changes: Mapping[str, Any],
    given: Secrets,
    on_step: OnStep,
    *,
    actor: str,
    before_save: Callable[[], None] = lambda: None,
) -> Saved:
    """Test the changed settings, and save and enable them once a test file was uploaded.

    Without a password the stored one is kept, as long as the destination is the same; without a
    private key the account's own. `before_save` is called right before the save, and raises where
    saving is no longer allowed. Raises PasswordAsked, FieldRefused, UnknownAccount, AccountError,
    SecretError, ValidationError.
    """
    stored = core.directory.login(account_id)
    settings = merged(stored.settings, changes)
    report, logon = _try_out(core, stored, settings, given, on_step, actor)
    if not report.ok:
        return Saved(report, None)
    tested = _as_found(stored, settings, report)
    before_save()
    core.directory.save_settings(
        account_id,
        tested,
        logon.password,
        key=logon.key,
        client_key=logon.client_key,
        instead_of=stored,
        actor=actor,
    )
    core.ledger.accounts.settings_saved(account_id)
    make_addresses(core).ask(account_id, tested.email_alerts)
    before = audit_facts.settings_before(stored.account)
    key = logon.key.public if logon.key else stored.account.key
    after = audit_facts.settings_saved(tested, given.password, key)
    Audit(core.database).record(actor, Action.SETTINGS_SAVED, account_id, before, after)
    return Saved(report, tested, pinned=tested.host_keys != settings.host_keys, tested=tested)


def try_changes(
    core: Core,
    account_id: str,
    changes: Mapping[str, Any],
    given: Secrets,
    on_step: OnStep,
    *,
    actor: str,
) -> Saved:
    """Test the changed settings as `change` does, and save nothing. Raises what that raises."""
    stored = core.directory.login(account_id)
    settings = merged(stored.settings, changes)
    report, _ = _try_out(core, stored, settings, given, on_step, actor)
    return Saved(report, None, tested=_as_found(stored, settings, report) if report.ok else None)


def _try_out(
    core: Core,
    stored: StoredLogin,
    settings: FtpSettings,
    given: Secrets,
    on_step: OnStep,
    actor: str,
) -> tuple[TestReport, Credentials]:
    account_id = stored.account.account_id
    with _audited(core, actor, account_id, settings) as ended:
        _check_active(core.settings, settings)
        vault = Vault(core.settings.secret_keys)
        logon = _credentials(core, vault, stored, settings, given)
        vault.encrypt(logon.password)  # refuses before a server is troubled
        return ended(_tested(core, account_id, settings, logon, on_step)), logon


def _as_found(stored: StoredLogin, settings: FtpSettings, report: TestReport) -> FtpSettings:
    """The settings with what the test has found of the server."""
    known = stored.settings
    found = {
        "host_keys": settings.host_keys or _seen(report),
        "capabilities": _beside_uploads(known, settings, report.capabilities),
    }
    return settings.model_copy(update=found)


def _beside_uploads(
    known: FtpSettings | None, settings: FtpSettings, found: Capabilities
) -> Capabilities:
    """What was found, with as many connections as the same login was seen to have: the account's
    own uploads may have had some of them just now. Where the server takes fewer, they find out.
    """
    if settings.protocol is Protocol.SFTP:  # channels of the test's own connection were counted
        return found
    if known is None or moved(known, settings):
        return found
    before = known.capabilities.at_once
    if before is None or found.at_once is None:
        return found
    return found.model_copy(update={"at_once": max(before, found.at_once)})


def try_stored(core: Core, account_id: str, on_step: OnStep, *, actor: str) -> Saved:
    """Test the settings as they are stored, and save nothing.

    Raises UnknownAccount, AccountError, SecretError.
    """
    stored = core.directory.login(account_id)
    if stored.settings is None:
        raise AccountError(f"The account {account_id!r} has no FTP settings to test.")
    with _audited(core, actor, account_id, stored.settings) as ended:
        logon = core.directory.credentials_of(stored)
        report = ended(_tested(core, account_id, stored.settings, logon, on_step))
    found = _as_found(stored, stored.settings, report) if report.ok else None
    return Saved(report, None, tested=found)


def run_test(
    settings: Settings,
    ftp: FtpSettings,
    logon: Credentials,
    on_step: OnStep,
    meant: Meaning = as_it_is,
) -> TestReport:
    """Log in and upload a text file, within the platform's limits. `meant`: what the failure means
    that ends it.

    What speaks to servers is loaded here: most commands about accounts speak to none.
    """
    from transports.settings_test import test_settings  # noqa: PLC0415 - said above

    password, key, client_key = logon
    return test_settings(
        ftp,
        password,
        Limits(),
        egress(settings),
        on_step,
        key=key,
        client_key=client_key,
        meant=meant,
    )


def _check_active(settings: Settings, ftp: FtpSettings) -> None:
    if ftp.active_mode and egress(settings).active is None:
        raise FieldRefused(
            "active_mode",
            "Active Mode is not available: servers may connect to the platform once its operator "
            "has set COURIER_ACTIVE_FTP_ADDRESSES and COURIER_ACTIVE_FTP_PORTS.",
        )


def _tested(
    core: Core, account_id: str, ftp: FtpSettings, logon: Credentials, on_step: OnStep
) -> TestReport:
    """What the test showed. How its login ended tells something of the server for all accounts."""
    meant = partial(_as_it_is_known, core, account_id, ftp)
    report = run_test(core.settings, ftp, logon, on_step, meant)
    servers, server = core.ledger.servers, _server_of(core, ftp)
    with contextlib.suppress(PyMongoError):
        if report.ok:
            servers.were_well([(server, account_id)])
        elif isinstance(report.failure, LoginRefused):
            servers.refused(server, account_id)
    return report


def _server_of(core: Core, ftp: FtpSettings) -> str:
    from transports.backends import server_id  # noqa: PLC0415 - as in `run_test`

    return server_id(ftp, Limits(), egress(core.settings))


def _as_it_is_known(
    core: Core, account_id: str, ftp: FtpSettings, failure: TransferError
) -> TransferError:
    """The failure, or that the server has blocked our address, as others' logins tell."""
    if not isinstance(failure, NotLetIn):
        return failure
    times = Times.of(core.settings.suspend_seconds)
    with contextlib.suppress(PyMongoError):
        known = core.ledger.servers.read(_server_of(core, ftp))
        if is_block_of_a_test(met_by(failure), known, account_id, times):
            return AddressBlocked(failure, times.block)
    return failure


def _credentials(
    core: Core, vault: Vault, stored: StoredLogin, settings: FtpSettings, given: Secrets
) -> Credentials:
    """What the settings' logon needs: what was given, or what is stored."""
    logon = settings.logon_type
    if given.private_key is not None and not logon.needs_key:
        words = "Private Key is not used with this logon type: choose Key, or Key and password."
        raise FieldRefused("private_key", words)
    platform = core.settings.platform_name
    key = _key(vault, stored, given, platform) if logon.needs_key else None
    if key is not None and settings.key_certificate is not None:
        check_certificate(settings.key_certificate, key.public, time.time())
    return Credentials(
        _password(vault, stored, settings, given) if logon.needs_password else SecretStr(""),
        key,
        _client_key(vault, stored, settings, given),
    )


def _password(
    vault: Vault, stored: StoredLogin, settings: FtpSettings, given: Secrets
) -> SecretStr:
    """The given password, or the stored one where the settings lead to the same destination."""
    if given.password is not None:
        return check_password(given.password)
    if stored.settings is not None:
        check_password_stays(stored.settings, settings)
    if stored.token is None:
        raise PasswordAsked("Password is required: none is stored.")
    return stored_password(stored, vault)


def _key(vault: Vault, stored: StoredLogin, given: Secrets, platform: str) -> KeyPair:
    """The given private key, a new one that waits for its test, or the account's."""
    if given.private_key is not None:
        comment = comment_of(platform, stored.account.account_id)
        return read_private_key(given.private_key, given.passphrase, comment)
    if stored.account.pending_key is not None:
        return stored_new_key(stored, vault)
    if stored.account.key is None:
        words = "Private Key is required: give one, or have a key generated for the account."
        raise FieldRefused("private_key", words)
    return stored_key(stored, vault)


def _client_key(
    vault: Vault, stored: StoredLogin, settings: FtpSettings, given: Secrets
) -> SecretStr | None:
    """The given key of the client certificate, or the stored one; None without certificate."""
    certificate, entered = settings.client_certificate, given.client_key
    if certificate is None:
        if entered is not None:
            raise _unused_client_key(settings)
        return None
    if entered is not None:
        key = read_client_key(entered, given.client_key_passphrase)
    elif stored.client_key_token is not None:
        key = stored_client_key(stored, vault)
    else:
        words = "Client Key is required: give the private key of the certificate."
        raise FieldRefused("client_key", words)
    check_client_certificate(certificate, key, time.time())
    return key


def _unused_client_key(settings: FtpSettings) -> FieldRefused:
    if settings.protocol.uses_tls:
        words = "Client Certificate is required: give the one that was issued for the key."
        return FieldRefused("client_certificate", words)
    return FieldRefused("client_key", "Client Key is not used with this protocol: choose FTPS.")


def _seen(report: TestReport) -> tuple[str, ...]:
    return () if report.host_key is None else (report.host_key,)


@contextmanager
def _audited(
    core: Core, actor: str, account_id: str, settings: FtpSettings
) -> Iterator[Callable[[TestReport], TestReport]]:
    """Notes the test in the audit at its end, also where it was refused or given up."""
    result, cause = "given up", {}

    def ended(report: TestReport) -> TestReport:
        nonlocal result, cause
        result, failure = "passed", report.failure
        if failure is not None:
            result = f"failed: {failure.words}"
            cause = {"cause": failure.diagnosis.code}  # by which it is known who may read the words
        return report

    try:
        yield ended
    except ConfigError as error:
        result = f"refused: {error}"
        raise
    finally:
        facts = {**target(settings), "result": result, **cause}
        Audit(core.database).record(actor, Action.SETTINGS_TESTED, account_id, {}, facts)
