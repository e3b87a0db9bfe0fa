"""An SFTP server of paramiko's: it tells digests, but no limits, and renames over no file.

The digest of a file of more than 64 KB it refuses: it reads on behind the end.
"""

import contextlib
import os
import socket
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_SUCCEEDED,
)
from paramiko.sftp import SFTP_EOF, SFTP_FAILURE, SFTP_OK

from deploy.local.customers import CustomerServer


class ParamikoServer:
    """Listens on loopback; uploads land in `root`."""

    def __init__(self, root: Path) -> None:
        self._key = paramiko.ECDSAKey.generate()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []
        self._thread = threading.Thread(target=self._serve, name="paramiko-server", daemon=True)
        port = int(self._listener.getsockname()[1])
        key = self._key.fingerprint
        self.customer = CustomerServer("127.0.0.1", port, "customer", "s3cret", root, host_key=key)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for transport in self._transports:
            transport.close()
            transport.join(5)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                transport = paramiko.Transport(connection)
                self._transports.append(transport)
                transport.add_server_key(self._key)
                files = type("Files", (_Files,), {"root": self.customer.root})
                transport.set_subsystem_handler("sftp", paramiko.SFTPServer, files)
                with contextlib.suppress(paramiko.SSHException, EOFError):
                    transport.start_server(server=_Logon(self.customer))


class _Logon(paramiko.ServerInterface):
    def __init__(self, customer: CustomerServer) -> None:
        self._right = customer.username, customer.password

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == self._right
        return AUTH_SUCCESSFUL if right else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED


class _File(paramiko.SFTPHandle):
    readfile: Any
    writefile: Any

    def read(self, offset: int, length: int) -> Any:
        return super().read(offset, length) or SFTP_EOF

    def stat(self) -> paramiko.SFTPAttributes:
        return paramiko.SFTPAttributes.from_stat(os.fstat(self.readfile.fileno()))


class _Files(paramiko.SFTPServerInterface):
    root: Path

    def _path(self, path: str) -> Path:
        return self.root / self.canonicalize(path).lstrip("/")

    def _done(self, act: Any, *arguments: Any) -> int:
        try:
            act(*arguments)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        return SFTP_OK

    def lstat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._path(path).lstat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)

    stat = lstat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        try:
            opened = os.open(self._path(path), flags, 0o644)
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno or 0)
        file = _File(flags)
        file.readfile = file.writefile = os.fdopen(opened, "wb" if flags & os.O_WRONLY else "rb")
        return file

    def remove(self, path: str) -> int:
        return self._done(self._path(path).unlink)

    def rename(self, oldpath: str, newpath: str) -> int:
        if self._path(newpath).exists():
            return SFTP_FAILURE
        return self._done(self._path(oldpath).rename, self._path(newpath))

    def mkdir(self, path: str, attr: Any) -> int:
        return self._done(self._path(path).mkdir)

    def rmdir(self, path: str) -> int:
        return self._done(self._path(path).rmdir)
