"""A mail server that keeps what it is sent (aiosmtpd)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from typing import Literal

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.local.customers.facts import LOOPBACK
from deploy.local.customers.loop import ThreadedServer, stop_accepting
from deploy.local.processes import free_port, wait_until

Command = Literal["MAIL", "RCPT", "DATA"]


@dataclass(frozen=True)
class Mail:
    """One message as it came over the wire."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes

    @property
    def message(self) -> EmailMessage:
        """The message parsed."""
        return message_from_bytes(self.raw, policy=SMTP_POLICY)


class SmtpSink(ThreadedServer):
    """Listens on loopback; its port and its messages survive `stop` and `start`."""

    def __init__(self) -> None:
        self.port = free_port()
        self.messages: list[Mail] = []
        """What was accepted, the oldest first."""
        self._refusals: dict[Command, str] = {}
        self._connections: set[_Connection] = set()

    @property
    def url(self) -> str:
        """`COURIER_SMTP_URL` for it."""
        return f"smtp://{LOOPBACK}:{self.port}"

    def refuse(self, reply: str, at: Command = "RCPT") -> None:
        """Answer that command with `reply`, for example `451 4.3.0 try again later`."""
        self._refusals[at] = reply

    def accept(self) -> None:
        """Take mail again."""
        self._refusals.clear()

    def wait_for(self, count: int, seconds: float = 60.0) -> list[Mail]:
        """The messages once there are `count`. Raises `ServiceError` after `seconds`."""
        wait_until(
            lambda: len(self.messages) >= count,
            seconds,
            f"Only {len(self.messages)} of {count} messages came within {seconds:.0f} s.",
        )
        return list(self.messages)

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        hooks = _Hooks(self.messages, self._refusals)
        server = await loop.create_server(
            lambda: _Connection(hooks, self._connections, loop), LOOPBACK, self.port
        )
        try:
            yield
        finally:
            await stop_accepting(server.sockets)
            server.close()
            for connection in tuple(self._connections):
                connection.abort()
            # One turn of the loop tells them that they are lost.
            await asyncio.sleep(0)
            await server.wait_closed()


class _Connection(SMTP):  # type: ignore[misc] # a decorator hides the class's type
    """One connection, known so that stopping can cut it."""

    def __init__(
        self,
        hooks: "_Hooks",
        connections: set["_Connection"],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(hooks, hostname="localhost", enable_SMTPUTF8=True, loop=loop)
        self._connections = connections

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._connections.add(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._connections.discard(self)
        super().connection_lost(error)

    def abort(self) -> None:
        """Cut it."""
        if isinstance(self.transport, asyncio.WriteTransport):
            self.transport.abort()


class _Hooks:
    """What aiosmtpd calls at each command; the names are its own."""

    def __init__(self, messages: list[Mail], refusals: dict[Command, str]) -> None:
        self._messages = messages
        self._refusals = refusals

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._refusals.get("MAIL"):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender ok"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := self._refusals.get("RCPT"):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        if refusal := self._refusals.get("DATA"):
            return refusal
        raw = envelope.original_content or b""
        self._messages.append(Mail(envelope.mail_from or "", tuple(envelope.rcpt_tos), raw))
        return "250 2.0.0 kept"
