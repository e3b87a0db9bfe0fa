"""`/metrics`, `/healthz` and `/readyz`, on a small server of their own."""

import contextlib
import json
import socket
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from socketserver import TCPServer, ThreadingMixIn
from threading import BoundedSemaphore, Thread, Timer
from types import TracebackType
from typing import Any, Self, TypeAlias
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer
from wsgiref.types import StartResponse, WSGIEnvironment

import structlog

Checks: TypeAlias = Mapping[str, Callable[[], str | None]]
"""Each check answers None where all is well, else a sentence. Each limits its own wait."""

REQUESTS = 16
"""Most connections at once. One more replaces the oldest that has not sent its request yet."""
IDLE_SECONDS = 5.0
"""Longest silence of a client."""
REQUEST_SECONDS = 30.0
"""Longest request as a whole."""

_CUT_SECONDS = 1.0
"""Longest wait for the thread of a connection that was cut."""

DEGRADED = "degraded"
_BODILESS = "HEAD"
_Answer: TypeAlias = tuple[HTTPStatus, str, bytes]


class HealthServer:
    """Answers on `bind` ("127.0.0.1:9108"; port 0 picks a free one) between start and stop.

    `metrics` is given the formats that a client takes, and returns the content type and the text.
    `live` and `ready` are the checks of `/healthz` and `/readyz`: 200 where all of them are well,
    else 503, and JSON that names each. `state` gives the word of `/readyz`; it is told whether all
    checks were well, so that no check runs twice for one answer. Where all of `ready` is well and
    something in `flaws` is not, the answer is `degraded` with 200.
    """

    def __init__(
        self,
        bind: str,
        *,
        metrics: Callable[[str], tuple[str, bytes]],
        live: Checks,
        ready: Checks,
        state: Callable[[bool], str],
        flaws: Checks | None = None,
    ) -> None:
        self._bind = bind
        self._answers: dict[str, Callable[[str], _Answer]] = {
            "/metrics": lambda accept: (HTTPStatus.OK, *metrics(accept)),
            "/healthz": lambda _: _told(live, {}, lambda _: "alive"),
            "/readyz": lambda _: _told(ready, flaws or {}, state),
        }
        self._server: _Server | None = None
        self._thread: Thread | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on. Raises RuntimeError where it does not."""
        if self._server is None:
            raise RuntimeError("the health server is not running")
        host, port, *_ = self._server.socket.getsockname()
        return host, port

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return self._server is not None

    def start(self) -> None:
        """Listen and answer. Raises OSError where the address cannot be had."""
        self._server = _Server(self._bind)
        self._server.set_app(self._answer)
        self._thread = Thread(
            target=self._server.serve_forever, args=(0.1,), name="health", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Stop listening; harmless where it does not."""
        server, thread = self._server, self._thread
        self._server = self._thread = None
        if server is None or thread is None:
            return
        server.shutdown()
        server.server_close()
        thread.join(IDLE_SECONDS)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _answer(self, environ: WSGIEnvironment, respond: StartResponse) -> Iterable[bytes]:
        status, content_type, body = self._route(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], environ.get("HTTP_ACCEPT", "")
        )
        headers = [
            ("Content-Type", content_type),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        if status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers.append(("Allow", "GET, HEAD"))
        respond(f"{status.value} {status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == _BODILESS else [body]

    def _route(self, method: str, path: str, accept: str) -> _Answer:
        answer = self._answers.get(path)
        if answer is None:
            return _plain(HTTPStatus.NOT_FOUND)
        if method not in {"GET", _BODILESS}:
            return _plain(HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            return answer(accept)
        except Exception:  # noqa: BLE001 - whoever asks is owed an answer; the log has the rest
            structlog.stdlib.get_logger("courier").exception("health_failed", path=path)
            return _plain(HTTPStatus.INTERNAL_SERVER_ERROR)


def _told(checks: Checks, flaws: Checks, word: Callable[[bool], str]) -> _Answer:
    """Flaws are looked for only where all of `ready` is well: the answer has its time limit."""
    states = {name: _state(check) for name, check in checks.items()}
    is_well = all(state == "ok" for state in states.values())
    told = word(is_well)
    if is_well:
        states |= {name: _state(flaw) for name, flaw in flaws.items()}
        told = told if all(state == "ok" for state in states.values()) else DEGRADED
    body = json.dumps({"status": told, "checks": states}).encode()
    status = HTTPStatus.OK if is_well else HTTPStatus.SERVICE_UNAVAILABLE
    return status, "application/json", body


def _state(check: Callable[[], str | None]) -> str:
    try:
        return check() or "ok"
    except Exception as error:  # noqa: BLE001 - a check that breaks is a check that fails
        return f"The check itself failed: {type(error).__name__}."


def _plain(status: HTTPStatus) -> _Answer:
    return status, "text/plain; charset=utf-8", f"{status.phrase}\n".encode()


class _QuietHandler(WSGIRequestHandler):
    timeout = IDLE_SECONDS

    def parse_request(self) -> bool:
        """Read the head of the request. From then on the connection is not replaced by another."""
        is_whole = super().parse_request()
        if isinstance(self.server, _Server):
            self.server.heard(self.connection)
        return is_whole

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Scrapes and probes are no news."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def __init__(self, bind: str) -> None:
        host, _, port = bind.rpartition(":")
        host = host.strip("[]")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._free = BoundedSemaphore(REQUESTS)
        self._silent: dict[socket.socket, None] = {}
        """Connections whose request has not arrived yet, the oldest first."""
        super().__init__((host, int(port)), _QuietHandler)

    def server_bind(self) -> None:
        """Bind without asking a name server for our own name, as http.server would."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._has_room():
            self.shutdown_request(request)
            return
        self._silent[request] = None
        super().process_request(request, client_address)

    def heard(self, request: socket.socket) -> None:
        """Note that the connection's request has arrived."""
        self._silent.pop(request, None)

    def _has_room(self) -> bool:
        """Whether one more connection may be taken. The one silent longest may be cut for it."""
        if self._free.acquire(blocking=False):
            return True
        silent = next(iter([*self._silent]), None)
        if silent is None:
            return False
        self.heard(silent)
        _cut(silent)
        return self._free.acquire(timeout=_CUT_SECONDS)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        alarm = Timer(REQUEST_SECONDS, _cut, (request,))
        alarm.daemon = True
        alarm.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            alarm.cancel()
            self.heard(request)
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news either."""


def _cut(request: socket.socket) -> None:
    with contextlib.suppress(OSError):
        request.shutdown(socket.SHUT_RDWR)
