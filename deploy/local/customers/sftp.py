"""An SFTP server with a real keyboard-interactive logon (asyncssh)."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import asyncssh

from deploy.local.customers.facts import LOOPBACK, CustomerServer, new_password
from deploy.local.customers.loop import ThreadedServer, stop_accepting
from deploy.local.customers.open_files import OpenFiles
from deploy.local.processes import free_port

Logon = Literal["password", "keyboard-interactive"]


@dataclass(frozen=True)
class Challenge:
    """One round of keyboard-interactive questions."""

    prompts: tuple[tuple[str, bool], ...]
    """Each question, and whether its answer is echoed."""
    instruction: str = ""
    answers: tuple[str, ...] | None = None
    """What is right; None: the username where echoed, else the password."""


PASSWORD = Challenge((("Password: ", False),))
EXPIRED_PASSWORD = Challenge(
    (("New password: ", False), ("Retype new password: ", False)),
    "Your password has expired, choose a new one now.",
    answers=("another one", "another one"),
)
"""The round after `PASSWORD` on a server that wants a new one."""


class AsyncSshServer(ThreadedServer):
    """Listens on loopback; its port and host key survive `stop` and `start`.

    `logon`: the methods it offers. `challenges`: the rounds of the interactive one.
    `authorized`: lines of public keys that it lets in; with any it offers `publickey` as well.
    `sftp`: the class that answers requests; override a method to make a server misbehave.
    `algorithms`: those that it takes, for example `encryption_algs` (asyncssh's names of them).
    """

    def __init__(
        self,
        root: Path,
        *,
        username: str = "customer",
        password: str | None = None,
        logon: Sequence[Logon] = ("password",),
        challenges: Sequence[Challenge] = (PASSWORD,),
        authorized: Sequence[str] = (),
        sftp: type[asyncssh.SFTPServer] = asyncssh.SFTPServer,
        key_type: str = "ssh-ed25519",
        key_size: int | None = None,
        algorithms: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.root = root
        self.username = username
        self.password = password or new_password()
        self.logon = tuple(logon)
        self.challenges = tuple(challenges)
        self.authorize(*authorized)
        self.logins = 0
        """Credentials that were checked so far, right or wrong."""
        self._sftp = sftp
        self._port = free_port()
        self._algorithms = dict(algorithms or {})
        self._key_type = key_type
        self._key_size: dict[str, Any] = {} if key_size is None else {"key_size": key_size}
        self.regenerate_host_key()
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._files = OpenFiles()

    @property
    def customer(self) -> CustomerServer:
        """What the customer tells of it."""
        return CustomerServer(
            host=LOOPBACK,
            port=self._port,
            username=self.username,
            password=self.password,
            root=self.root,
            host_key=self._key.get_fingerprint("sha256"),
        )

    def authorize(self, *lines: str) -> None:
        """Let these public keys in and no others, from the next login on."""
        self.authorized = tuple(line.split()[1] for line in lines)

    def regenerate_host_key(self) -> None:
        """Take a new host key; it counts from the next `start` on."""
        self._key = asyncssh.generate_private_key(self._key_type, **self._key_size)

    @asynccontextmanager
    async def _serving(self) -> AsyncIterator[None]:
        acceptor = await asyncssh.listen(
            LOOPBACK,
            self._port,
            server_factory=lambda: _Session(self, self._connections),
            server_host_keys=[self._key],
            reuse_address=True,
            **self._algorithms,
            **self._handlers(),
        )
        try:
            yield
        finally:
            await stop_accepting(acceptor.sockets)
            acceptor.close()
            for connection in tuple(self._connections):
                connection.abort()
                await connection.wait_closed()
            await acceptor.wait_closed()
            self._files.close()

    def _handlers(self) -> dict[str, Any]:
        """What answers requests, as asyncssh's `listen` wants it."""
        return {"sftp_factory": self._answering}

    def new_session(self) -> "asyncssh.SSHServerSession[bytes] | None":
        """What takes the bytes of a channel, where no handler does."""
        return None

    def _answering(self, channel: "asyncssh.SSHServerChannel[bytes]") -> asyncssh.SFTPServer:
        answering = self._sftp(channel, chroot=bytes(self.root))
        # On the instance: tests count on the attributes of the class they gave.
        vars(answering)["open"] = self._files.keeping(answering.open)
        return answering


class _Session(asyncssh.SSHServer):
    """The logon of one connection."""

    def __init__(
        self, server: AsyncSshServer, connections: set[asyncssh.SSHServerConnection]
    ) -> None:
        self._server = server
        self._connections = connections
        self._rounds = iter(server.challenges)
        self._asked = PASSWORD

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - not kept
        self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:  # noqa: ARG002 - checked with the password
        return True

    def password_auth_supported(self) -> bool:
        return "password" in self._server.logon

    def validate_password(self, username: str, password: str) -> bool:
        self._server.logins += 1
        return (username, password) == (self._server.username, self._server.password)

    def public_key_auth_supported(self) -> bool:
        return bool(self._server.authorized)

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        self._server.logins += 1
        blob = key.export_public_key().split()[1].decode()
        return username == self._server.username and blob in self._server.authorized

    def kbdint_auth_supported(self) -> bool:
        return "keyboard-interactive" in self._server.logon

    def get_kbdint_challenge(
        self,
        username: str,  # noqa: ARG002 - checked with the answers
        lang: str,  # noqa: ARG002 - one language
        submethods: str,  # noqa: ARG002 - one method
    ) -> asyncssh.auth.KbdIntChallenge:
        self._rounds = iter(self._server.challenges)
        return self._next_round()

    def validate_kbdint_response(
        self, username: str, responses: Sequence[str]
    ) -> asyncssh.auth.KbdIntChallenge:
        self._server.logins += 1
        right = tuple(responses) == self._right_answers()
        return right and username == self._server.username and self._next_round()

    def session_requested(self) -> Any:
        return self._server.new_session()

    def _next_round(self) -> asyncssh.auth.KbdIntChallenge:
        challenge = next(self._rounds, None)
        if challenge is None:
            return True
        self._asked = challenge
        return "", challenge.instruction, "", challenge.prompts

    def _right_answers(self) -> tuple[str, ...]:
        if self._asked.answers is not None:
            return self._asked.answers
        return tuple(
            self._server.username if echoed else self._server.password
            for _, echoed in self._asked.prompts
        )
