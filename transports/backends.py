"""Opens a session at a customer's server: resolved, checked, connected, trusted, logged in."""

import importlib
from contextlib import nullcontext
from typing import assert_never

from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from config.ssh_keys import KeyPair
from transports.access import Access, Again
from transports.base import Egress, Limits, OnStep, Server, unheard
from transports.errors import TransferError
from transports.network import egress as outside
from transports.network.dialing import Dialer
from transports.tap import Tap


def connect(
    settings: FtpSettings,
    password: SecretStr,
    limits: Limits,
    egress: Egress,
    *,
    key: KeyPair | None = None,
    client_key: SecretStr | None = None,
    on_step: OnStep = unheard,
    is_settings_test: bool = False,
    again: Again = nullcontext,
    tap: Tap | None = None,
) -> Server:
    """A session, logged in and ready for uploads. `on_step` hears each step that was taken, `tap`
    whatever is said.

    `password`, `key` and `client_key` are `config.credentials.Credentials`. `again`: what a further
    login waits for, in place of a connection that was lost; it raises where there is to be none.

    A host key that the settings pin is compared before any credential is sent; where they pin
    none, every key is taken (only the test on save does that) and told in `host_key`. A certificate
    is verified where none is pinned.
    Raises ResolveFailed, EgressDenied, ConnectFailed, OutgoingFailed, ProtocolFailed, TlsFailed,
    HostKeyChanged, LoginRefused, ServerBusy, Stalled, ConnectionLost.
    """
    addresses = outside.resolve(settings.host, settings.port, limits, egress)
    on_step("resolved", ", ".join(dict.fromkeys(address.host for address in addresses)))
    dial, active = Dialer(addresses, limits), egress.active
    access = Access(
        settings,
        password,
        dial,
        limits,
        key,
        client_key,
        active,
        is_settings_test,
        again,
        tap or Tap(),
    )
    match settings.protocol:
        case Protocol.SFTP:
            from transports.sftp.server import SftpServer  # noqa: PLC0415 - as `load_backends` says

            return SftpServer.open(access, on_step)
        case Protocol.FTP | Protocol.FTPS | Protocol.FTPS_IMPLICIT:
            from transports.ftp.server import FtpServer  # noqa: PLC0415 - as `load_backends` says

            return FtpServer.open(access, on_step)
        case unknown:  # never by plain FTP, which would send the password in clear
            assert_never(unknown)


def server_id(settings: FtpSettings, limits: Limits, egress: Egress) -> str:
    """Which server it is: its addresses and port, the same for all of its names.

    Host and port stand for it where it has no address that may be connected to, or so many that
    each lookup may tell others.
    """
    try:
        found = outside.resolve(settings.host, settings.port, limits, egress)
    except TransferError:
        found = []
    hosts = sorted({address.host for address in found})
    if not 0 < len(hosts) < outside.MAX_ADDRESSES:
        hosts = [settings.host.lower()]
    return f"{','.join(hosts)}:{settings.port}"


def load_backends() -> None:
    """Import them now, so that the first login of a process does not wait for it (paramiko: 0.1 s).

    Whoever connects to nothing, as most commands do, starts without them.
    """
    importlib.import_module("transports.sftp.server")
    importlib.import_module("transports.ftp.server")
