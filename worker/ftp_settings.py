"""Changes an account's FTP settings: merged with those stored, tested, then saved.

Each test is noted in the audit: its target, who asked for it, how it ended.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from config.audit import Action, Audit
from config.destination import check_password_stays, merged, target
from config.directory import StoredLogin
from config.errors import AccountError, ConfigError
from config.ftp_settings import FtpSettings, check_password
from config.secrets import Vault
from config.settings import Settings
from transports.base import Limits
from transports.settings_report import Step, TestReport
from transports.settings_test import test_settings
from worker import noted
from worker.core import Core, egress, make_addresses

OnStep = Callable[[Step], None]


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
    password: SecretStr | None,
    on_step: OnStep,
    *,
    actor: str,
    before_save: Callable[[], None] = lambda: None,
) -> Saved:
    """Test the changed settings, and save and enable them once a test file was uploaded.

    Without a password the stored one is kept, as long as the destination is the same.
    `before_save` is called right before the save, and raises where saving is no longer allowed.
    Raises PasswordAsked, UnknownAccount, AccountError, SecretError, ValidationError.
    """
    stored = core.directory.login(account_id)
    settings = merged(stored.settings, changes)
    with _audited(core, actor, account_id, settings) as ended:
        secret = _secret(core, stored, settings, password)
        Vault(core.settings.secret_keys).encrypt(secret)  # refuses before a server is troubled
        report = ended(run_test(core.settings, settings, secret, on_step))
    if not report.ok:
        return Saved(report, None)
    tested = settings.model_copy(
        update={
            "host_keys": settings.host_keys or _seen(report),
            "capabilities": report.capabilities,
        }
    )
    before_save()
    core.directory.save_settings(account_id, tested, secret, instead_of=stored, actor=actor)
    core.ledger.accounts.settings_saved(account_id)
    make_addresses(core).ask(account_id, tested.email_alerts)
    before, after = noted.settings_before(stored.account), noted.settings_saved(tested, password)
    Audit(core.database).record(actor, Action.SETTINGS_SAVED, account_id, before, after)
    return Saved(report, tested, pinned=tested.host_keys != settings.host_keys)


def try_stored(core: Core, account_id: str, on_step: OnStep, *, actor: str) -> TestReport:
    """Test the settings as they are stored. Raises UnknownAccount, AccountError, SecretError."""
    stored = core.directory.login(account_id)
    if stored.settings is None:
        raise AccountError(f"The account {account_id!r} has no FTP settings to test.")
    with _audited(core, actor, account_id, stored.settings) as ended:
        password = core.directory.password_of(stored)
        return ended(run_test(core.settings, stored.settings, password, on_step))


def run_test(
    settings: Settings, ftp: FtpSettings, password: SecretStr, on_step: OnStep
) -> TestReport:
    """Log in and upload a text file, within the platform's limits."""
    return test_settings(ftp, password, Limits(), egress(settings), on_step)


def _secret(
    core: Core, stored: StoredLogin, settings: FtpSettings, password: SecretStr | None
) -> SecretStr:
    """The given password, or the stored one where the settings lead to the same destination."""
    if password is not None:
        return check_password(password)
    if stored.settings is not None:
        check_password_stays(stored.settings, settings)
    return core.directory.password_of(stored)


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
