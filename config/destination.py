"""Where a stored password may go, and which host key is pinned there. Pure.

A password belongs to the server it was entered for, a host key to the server it was seen at.
"""

from collections.abc import Mapping
from typing import Any

from config.errors import PasswordAsked
from config.fields import declared
from config.ftp_settings import FtpSettings, KnownHost
from config.protocols import DEFAULT_PORTS, LogonType, Protocol

FIELDS = ("protocol", "host", "port", "username")
"""Fields that decide where a stored password goes."""
MAX_KNOWN_HOSTS = 50


def merged(stored: FtpSettings | None, changes: Mapping[str, Any]) -> FtpSettings:
    """The stored settings with the changes; raises pydantic's ValidationError.

    A port that was only the old protocol's default follows the protocol. Only SFTP has a logon
    type, and plain FTP has no host keys. Host keys that are left out are the pinned ones; with
    another host or port those that were pinned there before. With SFTP empty ones are left out:
    the test pins the one that it then sees. With FTPS there are none then, and the certificate is
    verified.
    """
    values = {} if stored is None else stored.model_dump(exclude={"capabilities"})
    values.update(changes)
    if stored is not None and "port" not in changes:
        values["port"] = _kept_port(stored, values["protocol"])
    protocol = values.get("protocol")
    if protocol != Protocol.SFTP:
        values.update(logon_type=LogonType.NORMAL, weak_algorithms=False)
    if protocol not in {Protocol.FTPS, Protocol.FTPS_IMPLICIT}:
        values.update(ca_certificates=None, client_certificate=None)
    if protocol == Protocol.FTP:
        values.update(host_keys=())
    if protocol == Protocol.SFTP:
        values.update(active_mode=False)
    settings = FtpSettings(**values)
    if not settings.logon_type.needs_key:
        settings = settings.model_copy(update={"key_certificate": None})
    return settings if stored is None else _with_pins(stored, settings, changes.get("host_keys"))


def moved(stored: FtpSettings, settings: FtpSettings) -> list[str]:
    """The fields by which the settings lead to another place than the stored ones; no field: to
    the same."""
    return [name for name in FIELDS if _told(stored, name) != _told(settings, name)]


def check_password_stays(stored: FtpSettings, settings: FtpSettings) -> None:
    """Raises PasswordAsked where the password of the stored settings is not for the others."""
    changed = moved(stored, settings)
    if changed:
        titles = " and ".join(declared(name).title.lower() for name in changed)
        raise PasswordAsked(
            f"The password must be given again with another {titles}: the stored one is sent "
            "only to the server and the login that it was entered for."
        )


def check_logon_stays(stored: FtpSettings, settings: FtpSettings) -> None:
    """Raises PasswordAsked where the stored settings log in without what the others need."""
    has, needs = stored.logon_type, settings.logon_type
    if (needs.needs_password and not has.needs_password) or (needs.needs_key and not has.needs_key):
        raise PasswordAsked("The logon type was changed meanwhile.")
    if settings.client_certificate not in {None, stored.client_certificate}:
        raise PasswordAsked("The client certificate was changed meanwhile.")


def target(settings: FtpSettings) -> dict[str, Any]:
    """Where a login with the settings goes, as the audit notes it."""
    return {name: settings.model_dump(mode="json")[name] for name in FIELDS}


def _told(settings: FtpSettings, name: str) -> Any:
    value = getattr(settings, name)
    return value.casefold() if name == "host" else value


def _kept_port(stored: FtpSettings, protocol: Protocol) -> int:
    is_default = stored.port == DEFAULT_PORTS[stored.protocol]
    return DEFAULT_PORTS[Protocol(protocol)] if is_default else stored.port


def _with_pins(
    stored: FtpSettings, settings: FtpSettings, given: tuple[str, ...] | None
) -> FtpSettings:
    known = {_place(each): each for each in stored.known_hosts}
    if stored.host_keys:
        known[_place(stored)] = KnownHost(
            host=stored.host,
            port=stored.port,
            host_keys=stored.host_keys,
            protocol=stored.protocol,
        )
    keys: tuple[str, ...] = ()
    if settings.protocol is not Protocol.FTP:
        before = known.pop(_place(settings), None)
        is_given = given is not None if settings.protocol.uses_tls else bool(given)
        keys = settings.host_keys if is_given else before.host_keys if before else ()
    hosts = tuple(known.values())[-MAX_KNOWN_HOSTS:]
    return settings.model_copy(update={"host_keys": keys, "known_hosts": hosts})


def _place(each: FtpSettings | KnownHost) -> tuple[str, int, Protocol]:
    """Where keys were pinned: what SSH shows at a port is none of TLS."""
    return each.host.casefold(), each.port, each.protocol
