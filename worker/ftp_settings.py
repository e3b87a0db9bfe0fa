"""Changes an account's FTP settings: merged with those stored, tested, then saved.

Each test is noted in the audit: its target, who asked for it, how it ended.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import SecretStr

from config.audit import Action, Audit
from config.credentials import Credentials, stored_key, stored_new_key, stored_password
from config.destination import check_password_stays, merged, target
from config.directory import StoredLogin
from config.errors import AccountError, ConfigError, FieldRefused, PasswordAsked
from config.ftp_settings import FtpSettings, FtpSettingsInput, check_password
from config.key_certificates import check_certificate
from config.private_keys import read_private_key
from config.secrets import Vault
from config.settings import Settings
from config.ssh_keys import KeyPair, comment_of
from transports.base import Limits
from transports.settings_report import Step, TestReport
from transports.settings_test import test_settings
from worker import audit_facts
from worker.core import Core, egress, make_addresses

OnStep = Callable[[Step], None]


class Secrets(NamedTuple):
    """What a person gave that is never shown; None keeps what is stored."""

    password: SecretStr | None = None
    private_key: SecretStr | None = None
    passphrase: SecretStr | None = None
    """Of the private key as it was given."""


NOTHING_GIVEN = Secrets()


def secrets_of(entered: FtpSettingsInput) -> Secrets:
    """Those among what was entered."""
    return Secrets(entered.password, entered.private_key, entered.passphrase)


@dataclass(frozen=True)
class Saved:
    """What the test showed, and the settings that were saved; None where it failed."""

    report: TestReport
    settings: FtpSettings | None
    pinned: bool = False
    """Whether this save was the one that pinned the server's host key."""


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
    with _audited(core, actor, account_id, settings) as ended:
        vault = Vault(core.settings.secret_keys)
        logon = _credentials(core, vault, stored, settings, given)
        vault.encrypt(logon.password)  # refuses before a server is troubled
        report = ended(run_test(core.settings, settings, logon, on_step))
    if not report.ok:
        return Saved(report, None)
    tested = settings.model_copy(
        update={
            "host_keys": settings.host_keys or _seen(report),
            "capabilities": report.capabilities,
        }
    )
    before_save()
    core.directory.save_settings(
        account_id, tested, logon.password, key=logon.key, instead_of=stored, actor=actor
    )
    core.ledger.accounts.settings_saved(account_id)
    make_addresses(core).ask(account_id, tested.email_alerts)
    before = audit_facts.settings_before(stored.account)
    key = logon.key.public if logon.key else stored.account.key
    after = audit_facts.settings_saved(tested, given.password, key)
    Audit(core.database).record(actor, Action.SETTINGS_SAVED, account_id, before, after)
    return Saved(report, tested, pinned=tested.host_keys != settings.host_keys)


def try_stored(core: Core, account_id: str, on_step: OnStep, *, actor: str) -> TestReport:
    """Test the settings as they are stored. Raises UnknownAccount, AccountError, SecretError."""
    stored = core.directory.login(account_id)
    if stored.settings is None:
        raise AccountError(f"The account {account_id!r} has no FTP settings to test.")
    with _audited(core, actor, account_id, stored.settings) as ended:
        logon = core.directory.credentials_of(stored)
        return ended(run_test(core.settings, stored.settings, logon, on_step))


def run_test(
    settings: Settings, ftp: FtpSettings, logon: Credentials, on_step: OnStep
) -> TestReport:
    """Log in and upload a text file, within the platform's limits."""
    return test_settings(ftp, logon.password, Limits(), egress(settings), on_step, key=logon.key)


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
        _password(vault, stored, settings, given) if logon.needs_password else SecretStr(""), key
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


def _seen(report: TestReport) -> tuple[str, ...]:
    return () if report.host_key is None else (report.host_key,)


@contextmanager
def _audited(
    core: Core, actor: str, account_id: str, settings: FtpSettings
) -> Iterator[Callable[[TestReport], TestReport]]:
    """Notes the test in the audit at its end, also where it was refused or given up."""
    result = "given up"

    def ended(report: TestReport) -> TestReport:
        nonlocal result
        result = f"failed: {report.failure.words}" if report.failure else "passed"
        return report

    try:
        yield ended
    except ConfigError as error:
        result = f"refused: {error}"
        raise
    finally:
        facts = {**target(settings), "result": result}
        Audit(core.database).record(actor, Action.SETTINGS_TESTED, account_id, {}, facts)
