"""An account's FTP settings, changed: put together with those stored, tested, then saved."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from config.ftp_settings import (
    DEFAULT_PORTS,
    FtpSettings,
    LogonType,
    Protocol,
    check_password,
)
from config.secrets import Vault
from config.settings import Settings
from transports.base import Limits
from transports.probe import Step, TestReport, test_settings
from worker.core import Core, egress

OnStep = Callable[[Step], None]


@dataclass(frozen=True)
class Saved:
    """What the test showed, and the settings that were saved; None where it failed."""

    report: TestReport
    settings: FtpSettings | None
    pinned: bool = False
    """Whether this save was the one that pinned the server's host key."""


def merged(stored: FtpSettings | None, changes: Mapping[str, Any]) -> FtpSettings:
    """The stored settings with the changes; raises pydantic's ValidationError.

    A host key belongs to the server it was seen at: with another host or port, or from FTP, the
    stored one is not kept, and what the test then sees is pinned anew. A port that was only the
    old protocol's default follows the protocol. FTP has neither logon type nor host key.
    """
    values = {} if stored is None else stored.model_dump(exclude={"capabilities"})
    values.update(changes)
    if stored is not None and "port" not in changes:
        values["port"] = _kept_port(stored, values["protocol"])
    if values.get("protocol") == Protocol.FTP:
        values.update(logon_type=LogonType.NORMAL, host_key=None)
    settings = FtpSettings(**values)
    if stored is not None and "host_key" not in changes and not _same_server(stored, settings):
        return settings.model_copy(update={"host_key": None})
    return settings


def change(
    core: Core,
    account_id: str,
    changes: Mapping[str, Any],
    password: SecretStr | None,
    on_step: OnStep,
) -> Saved:
    """Test the changed settings; save and enable them only where a file could be uploaded.

    Without a password the stored one is kept. Raises UnknownAccount, AccountError, SecretError,
    ValidationError.
    """
    settings = merged(core.directory.get(account_id).settings, changes)
    secret = core.directory.password(account_id) if password is None else check_password(password)
    Vault(core.settings.secret_keys).encrypt(secret)  # refuses before a server is troubled
    report = run_test(core.settings, settings, secret, on_step)
    if not report.ok:
        return Saved(report, None)
    tested = settings.model_copy(
        update={
            "host_key": settings.host_key or report.host_key,
            "capabilities": report.capabilities,
        }
    )
    core.directory.save_settings(account_id, tested, secret)
    core.ledger.accounts.settings_saved(account_id)
    return Saved(report, tested, pinned=tested.host_key != settings.host_key)


def run_test(
    settings: Settings, ftp: FtpSettings, password: SecretStr, on_step: OnStep
) -> TestReport:
    """Log in and upload a text file, within the platform's limits."""
    return test_settings(ftp, password, Limits(), egress(settings), on_step)


def _kept_port(stored: FtpSettings, protocol: Protocol) -> int:
    is_default = stored.port == DEFAULT_PORTS[stored.protocol]
    return DEFAULT_PORTS[Protocol(protocol)] if is_default else stored.port


def _same_server(stored: FtpSettings, settings: FtpSettings) -> bool:
    return (stored.host.casefold(), stored.port) == (settings.host.casefold(), settings.port)
