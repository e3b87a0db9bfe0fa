"""Notices to an account's people about changed FTP settings. Pure.

When recordings go to another place, the Email Alerts addresses from before are told. So nobody can
divert recordings and keep it from the account's people.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from config import certificates
from config.fields import declared
from config.ftp_settings import FtpSettings

TOLD = (
    "protocol",
    "host",
    "port",
    "username",
    "path",
    "host_keys",
    "ca_certificates",
    "email_alerts",
)
"""The fields whose change is told. Of the addresses only removed ones are told."""


@dataclass(frozen=True)
class SettingsNotice:
    """One change that is told; `key` is unique among all changes."""

    account_id: str
    key: str
    actor: str
    """A principal's login."""
    before: dict[str, str]
    """The fields that differ, by the titles and values that people read."""
    after: dict[str, str]
    """The same fields afterwards; none where the settings were removed."""
    recipients: tuple[str, ...]
    at: datetime


def notice_facts(
    account_id: str, actor: str, stored: FtpSettings | None, settings: FtpSettings | None
) -> dict[str, Any] | None:
    """The notice to be stored, without key and time yet; None where nobody is to be told."""
    if stored is None or not stored.email_alerts:
        return None
    differing = [name for name in TOLD if settings is None or _differs(name, stored, settings)]
    if not differing:
        return None
    return {
        "account_id": account_id,
        "actor": actor,
        "before": _values(stored, differing),
        "after": {} if settings is None else _values(settings, differing),
        "recipients": list(stored.email_alerts),
    }


def _differs(name: str, stored: FtpSettings, settings: FtpSettings) -> bool:
    before, after = getattr(stored, name), getattr(settings, name)
    if name == "email_alerts":
        return not set(before) <= set(after)
    return bool(before != after)


def _values(settings: FtpSettings, names: list[str]) -> dict[str, str]:
    return {declared(name).title: _in_words(name, getattr(settings, name)) for name in names}


def _in_words(name: str, value: Any) -> str:
    if name == "ca_certificates" and value is not None:
        return certificates.told(value)
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return "none" if value is None else str(value)
