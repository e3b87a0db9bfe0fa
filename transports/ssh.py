"""The SSH connection under SFTP: paramiko's Transport, bounded and made to tell what it heard."""

import contextlib
import logging
import re
import socket
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paramiko import Transport
from paramiko.message import Message
from paramiko.ssh_exception import SSHException
from pydantic import SecretStr

from config.accounts import Algorithms
from transports.errors import LoginRefused
from transports.words import own, spoken

_GREETING = 256
_ALLOWANCE = 1024 * 1024
_ROUNDS = 5
_MORE_THAN_A_PASSWORD = re.compile(
    r"one[- ]?time|\botp\b|pass ?code|authenticator|(verification|authentication|security) code"
    r"|new password|has expired|must be changed",
    re.IGNORECASE,
)


class Flooded(SSHException):
    """The server sends far more than it was asked for."""


class Wire(socket.socket):
    """A socket that bounds what the server may send.

    paramiko collects greeting lines and channel data without limit; an upload, though, only ever
    receives small answers to what it sends.
    """

    received = 0
    sent = 0
    moved_at = 0.0
    """When the last bytes went out, by the monotonic clock."""
    ended = False
    greeting = b""

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        """As of a socket. Raises Flooded."""
        try:
            data = super().recv(size, flags)
        except ConnectionError:
            self.ended = True
            raise
        self.ended = self.ended or not data
        self.received += len(data)
        if len(self.greeting) < _GREETING:
            self.greeting += data[: _GREETING - len(self.greeting)]
        if self.received > _ALLOWANCE + 16 * self.sent:
            raise Flooded(own("The server sent more than it was asked for"))
        return data

    def send(self, data: bytes, flags: int = 0, /) -> int:  # type: ignore[override]
        """As of a socket."""
        try:
            sent = super().send(data, flags)
        except ConnectionError:
            self.ended = True
            raise
        self.sent += sent
        self.moved_at = time.monotonic()
        return sent

    def cut(self) -> None:
        """End whatever waits for it. From any thread."""
        with contextlib.suppress(OSError):
            self.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut it. paramiko calls this while other threads may write: a descriptor that were free
        by then could be another customer's connection."""
        self.cut()

    def free(self) -> None:
        """Give the descriptor back, once no thread uses it any more."""
        super().close()


class SshTransport(Transport):
    """A client connection. AES-GCM first: one pass where CTR and HMAC take two."""

    if TYPE_CHECKING:  # what is used of paramiko beyond its stubs
        saved_exception: Exception | None

        def _really_parse_kex_init(self, message: Message) -> dict[str, list[str]]: ...

    def __init__(self, wire: Wire, seconds: float, without: Sequence[str] = ()) -> None:
        """`without`: host key algorithms that are not wanted."""
        super().__init__(wire, disabled_algorithms={"keys": without})
        self.goodbye: tuple[int, str] | None = None
        """Reason code and words of the server's disconnect message (RFC 4253 section 11.1)."""
        self._offers: dict[str, list[str]] = {}
        options = self.get_security_options()
        options.ciphers = sorted(options.ciphers, key=lambda name: "gcm" not in name)
        # The watchdog keeps these limits; paramiko's own are only there to come later.
        late = seconds + 5
        self.banner_timeout = self.handshake_timeout = late
        self.auth_timeout = self.channel_timeout = late

    def agreed(self) -> Algorithms:
        """What both sides have settled on, for what is sent to the server."""
        offered = self._offers.get("kex_algo_list", [])
        cipher = self.local_cipher
        return Algorithms(
            kex=next((name for name in self.preferred_kex if name in offered), ""),
            cipher=cipher,
            mac="implicit" if "gcm" in cipher else self.local_mac or "",
            host_key=self.host_key_type or "",
        )

    def same_key_algorithms(self) -> list[str]:
        """The algorithms that would have shown the same host key: two are there for RSA."""
        agreed = self.host_key_type or ""
        return [
            name
            for name in self.preferred_keys
            if name == agreed or (name.startswith("rsa-") and agreed.startswith("rsa-"))
        ]

    def no_common_algorithm(self) -> str:
        """Which kind of algorithm has none in common, and what the server offers of it."""
        for kind, offered, taken in (
            ("key exchange", "kex_algo_list", self.preferred_kex),
            ("host key", "server_key_algo_list", self.preferred_keys),
            ("cipher", "server_encrypt_algo_list", self.preferred_ciphers),
            ("MAC", "server_mac_algo_list", self.preferred_macs),
        ):
            names = self._offers.get(offered, [])
            if names and not set(names) & set(taken):
                offers = spoken(", ".join(names))
                return (
                    f"No {kind} in common: the server offers {offers}; "
                    f"the platform takes {', '.join(taken)}"
                )
        return ""

    def _parse_kex_init(self, message: Message) -> None:
        self._offers = self._really_parse_kex_init(Message(message.asbytes()))
        super()._parse_kex_init(message)  # type: ignore[misc]

    def _parse_disconnect(self, message: Message) -> None:
        code, text = message.get_int(), message.get_binary()
        self.goodbye = code, spoken(text)

    def _log(self, level: int, message: str | list[str], *args: object) -> None:  # noqa: ARG002
        """For debugging only: what fails is raised, and told by who knows the account."""
        super()._log(logging.DEBUG, message, *args)  # type: ignore[misc]


class Answers:
    """Answers a keyboard-interactive logon (RFC 4256): password where hidden, else username.

    The password is given in one round only: who asks again has refused it, or wants what the
    platform does not have. Raises LoginRefused with what was asked.
    """

    def __init__(self, username: str, password: SecretStr) -> None:
        self._username = username
        self._password = password
        self._rounds = 0
        self._given = False

    def __call__(
        self, title: str, instructions: str, prompts: Sequence[tuple[str, bool]]
    ) -> list[str]:
        """The answers to one round."""
        self._rounds += 1
        asked = spoken(" ".join([title, instructions, *(text for text, _ in prompts)]))
        hidden = any(not echo for _, echo in prompts)
        if _MORE_THAN_A_PASSWORD.search(asked) or self._rounds > _ROUNDS:
            raise LoginRefused(f"The server asks for more than the password: {asked}")
        if hidden and self._given:
            raise LoginRefused(f"The server did not accept the password and asks again: {asked}")
        self._given = self._given or hidden
        secret = self._password.get_secret_value()
        return [self._username if echo else secret for _, echo in prompts]
