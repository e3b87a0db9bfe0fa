"""Serves the console in a thread of its own, with its own event loop."""

import contextlib
import socket
import threading
import time

import uvicorn

from worker.console import ConsoleAddressTaken
from worker.console.app import create_app
from worker.console.connections import limited
from worker.console.services import make_services
from worker.core import Core, Messaging

START_SECONDS = 10.0
STOP_SECONDS = 5.0
IDLE_SECONDS = 15
_BACKLOG = 128
_MAX_HEADERS = 32 * 1024


class ConsoleServer:
    """Answers on `bind` ("127.0.0.1:8080"; port 0 picks a free one) between start and stop."""

    def __init__(self, bind: str, core: Core, messaging: Messaging) -> None:
        self._bind = bind
        self._core = core
        self.services = make_services(core, messaging)
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._socket: socket.socket | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on. Raises RuntimeError where it does not."""
        if self._socket is None:
            raise RuntimeError("the console is not running")
        host, port, *_ = self._socket.getsockname()
        return host, port

    def start(self) -> None:
        """Listen and answer. Raises ConsoleAddressTaken."""
        try:
            self._socket = _listening(self._bind)
        except OSError as error:
            raise ConsoleAddressTaken(error.errno, error.strerror or str(error)) from None
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(self.services),
                loop="asyncio",
                http=limited(self._core.settings.trusted_proxies),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,  # believed from nobody by uvicorn: see `proxies`
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=2,
                h11_max_incomplete_event_size=_MAX_HEADERS,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="console", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self._server.started and time.monotonic() < deadline:
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop listening; tests of settings that still run save nothing. Harmless when stopped."""
        self.services.validations.stop()
        server, thread, listener = self._server, self._thread, self._socket
        self._server = self._thread = self._socket = None
        if server is None or thread is None or listener is None:
            return
        server.should_exit = True
        thread.join(STOP_SECONDS)
        with contextlib.suppress(OSError):
            listener.close()


def _listening(bind: str) -> socket.socket:
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With its protocol named, or asyncio leaves Nagle's algorithm on: 40 ms an answer.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, int(port)))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener
