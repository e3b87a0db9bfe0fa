"""An FTP server whose every command can be overridden (pyftpdlib)."""

import logging
import threading
import warnings
from pathlib import Path
from typing import Any

from deploy.local.customers.facts import LOOPBACK, CustomerServer, new_password
from deploy.local.customers.listener import Listener
from deploy.local.customers.open_files import OpenFiles
from deploy.local.processes import ServiceError, free_port

with warnings.catch_warnings():
    # It stands on asyncore, which Python 3.11 deprecates; for later ones it brings its own.
    warnings.simplefilter("ignore", DeprecationWarning)
    from pyftpdlib.authorizers import DummyAuthorizer
    from pyftpdlib.filesystems import AbstractedFS
    from pyftpdlib.handlers import FTPHandler
    from pyftpdlib.ioloop import IOLoop
    from pyftpdlib.servers import FTPServer

EVERYTHING = "elradfmwMT"
"""pyftpdlib's letters for all permissions; without `w` nothing can be stored."""
_POLL_SECONDS = 0.1
_STOP_SECONDS = 60.0


class PyFtpServer(Listener):
    """Listens on loopback; its port survives `stop` and `start`.

    `handler`: override its `ftp_SIZE`, `ftp_RNFR`, ... to make a server misbehave, or set
    attributes such as `max_login_attempts`.
    """

    def __init__(
        self,
        root: Path,
        *,
        username: str = "customer",
        password: str | None = None,
        permissions: str = EVERYTHING,
        handler: type[FTPHandler] = FTPHandler,
        max_connections_per_ip: int = 0,
        host: str = LOOPBACK,
    ) -> None:
        self.customer = CustomerServer(
            host=host,
            port=free_port(),
            username=username,
            password=password or new_password(),
            root=root,
        )
        """What the customer tells of it."""
        self._permissions = permissions
        self._handler = handler
        self._max_connections_per_ip = max_connections_per_ip
        self._files = OpenFiles()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listen. Raises `ServiceError` where the port cannot be had."""
        if self._thread is not None:
            return
        # Without a handler pyftpdlib would write every command to the terminal.
        logging.getLogger("pyftpdlib").addHandler(logging.NullHandler())
        loop = IOLoop()
        try:
            server = self._listen(loop)
        except OSError as error:
            loop.close()
            raise ServiceError(f"The FTP server could not be started: {error}") from error
        self._ended.clear()
        self._thread = threading.Thread(
            target=self._serve, args=(server, loop), name="PyFtpServer", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening and cut what is open; the port is free on return."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join(_STOP_SECONDS)
            self._thread = None

    def _listen(self, loop: IOLoop) -> FTPServer:
        authorizer = DummyAuthorizer()
        authorizer.add_user(
            self.customer.username,
            self.customer.password,
            str(self.customer.root),
            perm=self._permissions,
        )
        # A class of its own: pyftpdlib keeps settings on the class, which servers would share.
        own: dict[str, Any] = {
            "authorizer": authorizer,
            "banner": "ready.",
            "abstracted_fs": self._filesystem(),
        }
        handler = type("Handler", (self._handler,), own)
        server = FTPServer((self.customer.host, self.customer.port), handler, ioloop=loop)
        server.max_cons_per_ip = self._max_connections_per_ip
        return server

    def _filesystem(self) -> type[AbstractedFS]:
        served = self._handler.abstracted_fs

        def open_kept(filesystem: AbstractedFS, filename: str, mode: str) -> Any:
            return self._files.keeping(served.open)(filesystem, filename, mode)

        return type("Kept", (served,), {"open": open_kept})

    def _serve(self, server: FTPServer, loop: IOLoop) -> None:
        try:
            while not self._ended.is_set():
                loop.loop(timeout=_POLL_SECONDS, blocking=False)
        finally:
            server.close_all()
            self._files.close()
