"""The SSH connection under SFTP: paramiko's Transport, bounded and made to tell what it heard."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from paramiko import PKey, Transport
from paramiko.message import Message
from paramiko.ssh_exception import SSHException

from config.accounts import Algorithms
from transports.errors import NoCommonAlgorithm, WeakAlgorithm
from transports.sftp.answers import Packet
from transports.ssh.errors import TooOld
from transports.ssh.logon import Answers, Logon
from transports.ssh.packets import Buffer, LeanPacketizer
from transports.words import decoded, own, spoken

_GREETING = 256
_ALLOWANCE = 1024 * 1024
_AHEAD = 16 * 1024
"""Bytes that are read at once: many packets, of which each would cost two system calls."""
_LEAST_RSA_BITS = 2048
_MARKS = ("ext-info-", "kex-strict-")
"""How names begin that stand among the key exchanges and are none: they tell what else is known."""


def is_weak(algorithm: str) -> bool:
    """Whether a cipher or a MAC is taken only where the account's settings allow it.

    CBC and 3DES (RFC 4253 section 6.3), and MACs of MD5 or of 96 bits; SHA-1 as a MAC still holds.
    """
    return "-cbc" in algorithm or "md5" in algorithm or algorithm.endswith("-96")


def is_by_sha1(algorithm: str) -> bool:
    """Whether it is a key exchange or a signature by SHA-1, which paramiko does not have.

    RFC 9142 section 3 for key exchanges, RFC 8332 section 5 for RSA; DSA is by SHA-1 alone.
    """
    return algorithm.endswith("-sha1") or algorithm in {"ssh-rsa", "ssh-dss"}


class Flooded(SSHException):
    """The server sends far more than it was asked for."""


class Wire(socket.socket):
    """A socket that bounds what the server may send.

    paramiko collects greeting lines and channel data without limit; an upload, though, only ever
    receives small answers to what it sends.
    """

    received = 0
    sent = 0
    allowance = _ALLOWANCE
    """Bytes that it may send besides those that answer what is sent to it."""
    moved_at = 0.0
    """When the last bytes went out, by the monotonic clock."""
    heard_at = 0.0
    """When the last bytes came in."""
    ended = False
    greeting = b""
    _ahead = b""

    def recv(self, size: int, _flags: int = 0, /) -> bytes:
        """As of a socket; what has come besides is kept for the next time. Raises Flooded."""
        heard = self._ahead or self._heard()
        self._ahead = heard[size:]
        return heard[:size]

    def _heard(self) -> bytes:
        try:
            data = super().recv(_AHEAD)
        except ConnectionError:
            self.ended = True
            raise
        self.ended = self.ended or not data
        self.received += len(data)
        self.heard_at = time.monotonic()
        if len(self.greeting) < _GREETING:
            self.greeting += data[: _GREETING - len(self.greeting)]
        if self.received > self.allowance + 16 * self.sent:
            raise Flooded(own("The server sent more than it was asked for"))
        return data

    def send(self, data: Buffer, flags: int = 0, /) -> int:  # type: ignore[override]
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
        server_extensions: dict[str, bytes]
        _cipher_info: dict[str, object]
        _mac_info: dict[str, object]
        saved_exception: Exception | None

        def _really_parse_kex_init(self, message: Message) -> dict[str, list[str]]: ...

    def __init__(
        self, wire: Wire, seconds: float, without: Sequence[str] = (), *, weak: bool = False
    ) -> None:
        """`without`: host key algorithms that are not wanted; `weak`: what is weak is taken too."""
        super().__init__(
            wire, disabled_algorithms={"keys": without}, packetizer_class=LeanPacketizer
        )
        self.goodbye: tuple[int, str] | None = None
        """Reason code and words of the server's disconnect message (RFC 4253 section 11.1)."""
        self.logon = Logon(self)
        self._offers: dict[str, list[str]] = {}
        self._weak = weak
        options = self.get_security_options()
        options.ciphers = sorted(self._taken(options.ciphers), key=lambda name: "gcm" not in name)
        options.digests = self._taken(options.digests)
        # The watchdog keeps these limits; paramiko's own are only there to come later.
        late = seconds + 5
        self.banner_timeout = self.handshake_timeout = late
        self.auth_timeout = self.channel_timeout = late

    def check_key(self) -> None:
        """Raises WeakAlgorithm where the server's key is too short to be trusted."""
        key = self.get_remote_server_key()
        if key.get_name() == "ssh-rsa" and key.get_bits() < _LEAST_RSA_BITS and not self._weak:
            raise WeakAlgorithm(
                f"The server's RSA key has {key.get_bits()} bits: "
                f"the platform takes {_LEAST_RSA_BITS} or more"
            )

    def give_password(self, username: str, password: str) -> list[str]:
        """Log in with the password; the methods that are wanted besides."""
        return self._log_in(lambda done: self.logon.auth_password(username, password, done))

    def show_key(self, username: str, key: PKey) -> list[str]:
        """Log in with the key; the methods that are wanted besides."""
        return self._log_in(lambda done: self.logon.auth_publickey(username, key, done))

    def key_algorithms(self) -> list[str]:
        """By which a user's key may sign, as far as the server has told (RFC 8308 section 3.1)."""
        told = decoded(self.server_extensions.get("server-sig-algs", b""))
        return [name for name in told.split(",") if name]

    def takes_key_of(self, kind: str) -> bool:
        """Whether a key of this kind may sign, as far as is told; RSA by SHA-2 alone (RFC 8332)."""
        told = self.key_algorithms()
        begins = "rsa-sha2-" if kind.startswith("ssh-rsa") else kind
        return not told or any(name.startswith(begins) for name in told)

    def answer(self, username: str, answers: Answers) -> list[str]:
        """Log in by answering questions; the methods that are wanted besides."""
        return self._log_in(lambda done: self.logon.auth_interactive(username, answers, done))

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

    def no_common_algorithm(self) -> NoCommonAlgorithm | None:
        """Which kind of algorithm has none in common, and what the server offers of it."""
        for kind, offered, taken in (
            ("key exchange", "kex_algo_list", self.preferred_kex),
            ("host key", "server_key_algo_list", self.preferred_keys),
            ("cipher", "server_encrypt_algo_list", self.preferred_ciphers),
            ("MAC", "server_mac_algo_list", self.preferred_macs),
        ):
            listed = self._offers.get(offered, [])
            names = [name for name in listed if not name.startswith(_MARKS)]
            if not names or set(names) & set(taken):
                continue
            return self._unusable(names)(
                f"No {kind} in common: this server offers only {spoken(', '.join(names))}; "
                f"the platform takes {', '.join(taken)}"
            )
        return None

    def _unusable(self, names: Sequence[str]) -> type[NoCommonAlgorithm]:
        """What it means that these are all that the server offers of a kind."""
        could = {*self._cipher_info, *self._mac_info} if not self._weak else set()
        if could & set(names):
            return WeakAlgorithm
        return TooOld if any(map(is_by_sha1, names)) else NoCommonAlgorithm

    def _taken(self, algorithms: Sequence[str]) -> list[str]:
        return [name for name in algorithms if self._weak or not is_weak(name)]

    def _log_in(self, begin: Callable[[threading.Event], None]) -> list[str]:
        self.auth_handler = self.logon
        done = threading.Event()
        begin(done)
        return self.logon.wait_for_response(done)

    def _parse_kex_init(self, message: Message) -> None:
        self._offers = self._really_parse_kex_init(Message(message.asbytes()))
        super()._parse_kex_init(message)  # type: ignore[misc]

    def _parse_ext_info(self, message: Message) -> None:
        """As paramiko's own, but no longer than the message (RFC 8308 section 2.3)."""
        packet = Packet(message.get_remainder())
        left = packet.number()
        told: dict[str, bytes] = {}
        while left and packet.rest:
            name = packet.text().decode("latin-1")
            told[name] = packet.text()
            left -= 1
        self.server_extensions = told

    def _parse_disconnect(self, message: Message) -> None:
        code, text = message.get_int(), message.get_binary()
        self.goodbye = code, decoded(text)

    def _log(self, level: int, message: str | list[str], *args: object) -> None:  # noqa: ARG002 - see below
        """For debugging only: what fails is raised, and told by who knows the account."""
        super()._log(logging.DEBUG, message, *args)  # type: ignore[misc]
