"""Opens a session at a customer's server: resolved, checked, connected, trusted, logged in."""

import importlib
from functools import partial
from typing import assert_never

from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from config.ssh_keys import KeyPair
from transports.access import Access
from transports.base import Egress, Limits, OnStep, Server, unheard
from transports.network import egress as outside


def connect(
    settings: FtpSettings,
    password: SecretStr,
    limits: Limits,
    egress: Egress,
    *,
    key: KeyPair | None = None,
    on_step: OnStep = unheard,
    is_settings_test: bool = False,
) -> Server:
    """A session, logged in and ready for uploads. `on_step` hears each step that was taken.

    `password` and `key` are `config.credentials.Credentials`.

    A host key that the settings pin is compared before any credential is sent; where they pin
    none, every key is taken (only the test on save does that) and told in `host_key`. A certificate
    is verified where none is pinned.
    Raises ResolveFailed, EgressDenied, ConnectFailed, ProtocolFailed, TlsFailed, HostKeyChanged,
    LoginRefused, ServerBusy, Stalled, ConnectionLost.
    """
    addresses = outside.resolve(settings.host, settings.port, limits, egress)
    on_step("resolved", ", ".join(address.host for address in addresses))
    dial = partial(outside.dial, addresses, limits)
    access = Access(settings, password, dial, limits, key, is_settings_test)
    match settings.protocol:
        case Protocol.SFTP:
            from transports.sftp.server import SftpServer  # noqa: PLC0415 - as `load_backends` says

            return SftpServer.open(access, on_step)
        case Protocol.FTP | Protocol.FTPS | Protocol.FTPS_IMPLICIT:
            from transports.ftp.server import FtpServer  # noqa: PLC0415 - as `load_backends` says

            return FtpServer.open(access, on_step)
        case unknown:  # never by plain FTP, which would send the password in clear
            assert_never(unknown)


def load_backends() -> None:
    """Import them now, so that the first login of a process does not wait for it (paramiko: 0.1 s).

    Whoever connects to nothing, as most commands do, starts without them.
    """
    importlib.import_module("transports.sftp.server")
    importlib.import_module("transports.ftp.server")
