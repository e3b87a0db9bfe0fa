"""Uploads through our own SSH packets: to each server, with each cipher and MAC, under rekeying."""

import asyncio
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from paramiko import Transport

from config.accounts import Capabilities
from deploy.local.customers import AsyncSshServer, CustomerServer
from tests.contract.accounts import open_session
from tests.contract.conftest import leaving_nothing
from tests.contract.proxy import Proxy
from tests.servers import Conch, Dropbear, ModSftp, Ssh2, Sshd
from tests.servers.catalogue import Running
from transports.base import BLOCK, Limits
from transports.errors import TransferError
from transports.ssh import transport
from transports.ssh.packets import LeanPacketizer
from transports.ssh.transport import is_weak

MEGABYTE = 1_000_000
CHANNELS = 3
FREEZE = 400_000
OFTEN = 3
"""The first keys, those behind what all windows let out at most, and those behind the rest."""
GCM = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
CTR = ("aes128-ctr", "aes192-ctr", "aes256-ctr")
SHA2 = ("hmac-sha2-256", "hmac-sha2-512")
ETM = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com")
SHA1 = "hmac-sha1"
TAKEN: Mapping[str, tuple[Sequence[str], Sequence[str]]] = {
    "OpenSSH": ((*GCM, *CTR), (*SHA2, *ETM, SHA1)),
    "asyncssh": ((*GCM, *CTR), (*SHA2, *ETM, SHA1)),
    "dropbear": (("aes128-ctr", "aes256-ctr"), ("hmac-sha2-256",)),
    "ssh2": ((*GCM, *CTR), (*SHA2, *ETM, SHA1)),
    "Twisted": (CTR, (*SHA2, SHA1)),
    "mod_sftp": (CTR, (*SHA2, *ETM, SHA1)),
}
"""What of ours each server takes as it is shipped, in Debian 12 and 13."""
CASES = [
    (name, cipher, mac)
    for name, (ciphers, macs) in TAKEN.items()
    for number, cipher in enumerate(ciphers)
    for mac in (macs if cipher == "aes128-ctr" else macs[number % len(macs) :][:1])
]
"""Each cipher, and each MAC with one of them: with AES-GCM there is none."""
MAKE: Mapping[str, Callable[[Path], AbstractContextManager[Running]]] = {
    "OpenSSH": Sshd,
    "asyncssh": AsyncSshServer,
    "dropbear": Dropbear,
    "ssh2": Ssh2,
    "Twisted": Conch,
    "mod_sftp": ModSftp,
}
ONE_CHANNEL_AT_A_TIME = {"mod_sftp": Capabilities(request_size=28_000)}
"""Requests that pass over several channels confuse it."""


class Counted(LeanPacketizer):
    """Agrees on new keys behind each megabyte, and counts how often it was done."""

    REKEY_BYTES = MEGABYTE
    agreed = 0

    def set_outbound_cipher(self, *args: Any, **kwargs: Any) -> None:
        """As ever."""
        type(self).agreed += 1
        super().set_outbound_cipher(*args, **kwargs)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], CustomerServer]]:
    """Servers by name, each started once."""
    started: dict[str, AbstractContextManager[Running]] = {}
    customers: dict[str, CustomerServer] = {}

    def customer(name: str) -> CustomerServer:
        if name not in started:
            folder = tmp_path_factory.mktemp(name) / "server"
            if name == "asyncssh":
                folder.mkdir()
            started[name] = MAKE[name](folder)
            customers[name] = started[name].__enter__().customer
        return customers[name]

    yield customer
    for server in started.values():
        server.__exit__(None, None, None)


def agree(
    monkeypatch: pytest.MonkeyPatch, cipher: str, mac: str, *, rekey: int = MEGABYTE
) -> type[Counted]:
    """Have our side take nothing but these, and new keys behind so many bytes."""
    counted = type("Counted", (Counted,), {"REKEY_BYTES": rekey, "agreed": 0})
    monkeypatch.setattr(transport, "LeanPacketizer", counted)
    monkeypatch.setattr(Transport, "_preferred_ciphers", (cipher,))
    monkeypatch.setattr(Transport, "_preferred_macs", (mac,))
    return counted


def check_uploads(customer: CustomerServer, size: int = 3 * MEGABYTE, **changes: Any) -> None:
    """Files over several channels at once stand there as they were sent."""
    contents = {f"{number}.wav": os.urandom(size) for number in range(CHANNELS)}
    with closing(open_session(customer, LONG, **changes)) as first:
        sessions = [first, *(first.another() for _ in range(CHANNELS - 1))]
        with ThreadPoolExecutor(CHANNELS) as pool:
            sent = [
                pool.submit(session.put, blocks_of(content), name)
                for session, (name, content) in zip(sessions, contents.items(), strict=True)
            ]
            for each in sent:
                each.result(60)
        for session in sessions[1:]:
            session.close()
        for name, content in contents.items():
            assert digest((customer.root / name).read_bytes()) == digest(content)
            first.remove(name)


def blocks_of(content: bytes) -> list[bytes]:
    """As a source gives them."""
    return [content[start : start + BLOCK] for start in range(0, len(content), BLOCK)]


def digest(content: bytes) -> str:
    """Of the whole of it."""
    return hashlib.sha256(content).hexdigest()


LONG = Limits(resolve=5, connect=10, login=30, reply=30, stall=30)
BRIEF = Limits(resolve=5, connect=5, login=20, reply=2, stall=2)


@pytest.mark.parametrize(("server", "cipher", "mac"), CASES)
def test_uploads_arrive_whole_while_we_ask_for_new_keys(
    running: Callable[[str], CustomerServer],
    monkeypatch: pytest.MonkeyPatch,
    server: str,
    cipher: str,
    mac: str,
) -> None:
    customer = running(server)
    counted = agree(monkeypatch, cipher, mac)
    check_uploads(customer, capabilities=ONE_CHANNEL_AT_A_TIME.get(server, Capabilities()))
    assert counted.agreed >= OFTEN


@pytest.mark.parametrize("cipher", [GCM[0], CTR[0]])
@pytest.mark.parametrize("rekey", [MEGABYTE, 1 << 29], ids=["both sides", "the server"])
@pytest.mark.parametrize("server", ["OpenSSH", "asyncssh", "mod_sftp"])
def test_uploads_arrive_whole_while_the_server_asks_for_new_keys(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, server: str, cipher: str, rekey: int
) -> None:
    if server == "mod_sftp" and cipher in GCM:
        cipher = CTR[2]
    often: dict[str, Any] = {"rekey_bytes": 1_500}  # it counts only what it sends itself
    makes: Mapping[str, Callable[[Path], AbstractContextManager[Running]]] = {
        "OpenSSH": partial(Sshd, extra=["RekeyLimit 1M"]),
        "asyncssh": partial(AsyncSshServer, algorithms=often),
        "mod_sftp": partial(ModSftp, extra=["SFTPRekey required 3600 1"]),
    }
    folder = tmp_path / "server"
    if server == "asyncssh":
        folder.mkdir()
    counted = agree(monkeypatch, cipher, ETM[0], rekey=rekey)
    with makes[server](folder) as started:
        customer = started.customer
        check_uploads(customer, capabilities=ONE_CHANNEL_AT_A_TIME.get(server, Capabilities()))
    assert counted.agreed >= OFTEN


def test_new_keys_are_agreed_while_the_server_answers_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    counted = agree(monkeypatch, GCM[0], SHA1, rekey=MEGABYTE // 2)

    class Waiting(asyncssh.SFTPServer):
        """Answers no write until there are new keys."""

        async def write(self, file_obj: object, offset: int, data: bytes) -> int:
            """Write it, and wait."""
            written: Any = super().write(file_obj, offset, data)
            deadline = time.monotonic() + 20
            while counted.agreed == 1 and time.monotonic() < deadline:  # noqa: ASYNC110 - a server's event loop is its own
                await asyncio.sleep(0.01)
            waited.append(counted.agreed)
            return int(written)

    waited: list[int] = []
    content = os.urandom(MEGABYTE)  # less than the channel's window: all of it goes out at once
    with (
        AsyncSshServer(tmp_path, sftp=Waiting) as server,
        closing(open_session(server.customer, LONG)) as session,
    ):
        session.put(blocks_of(content), "a.wav")
        assert digest((tmp_path / "a.wav").read_bytes()) == digest(content)
    assert waited[0] > 1


@pytest.mark.parametrize(
    ("cipher", "mac"),
    [
        ("aes128-cbc", SHA1),
        ("aes256-cbc", ETM[0]),
        ("3des-cbc", SHA2[0]),
        ("aes128-ctr", "hmac-md5"),
        ("aes128-ctr", "hmac-md5-96"),
        ("aes128-ctr", "hmac-sha1-96"),
    ],
)
def test_what_is_weak_works_where_it_is_allowed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cipher: str, mac: str
) -> None:
    agree(monkeypatch, cipher, mac)
    algorithms = {"encryption_algs": [cipher], "mac_algs": [mac]}
    with AsyncSshServer(tmp_path, algorithms=algorithms) as server:
        check_uploads(server.customer, MEGABYTE, weak_algorithms=True)


def test_every_cipher_and_mac_that_is_on_is_tried() -> None:
    paramikos = vars(Transport)
    on = {*paramikos["_preferred_ciphers"], *paramikos["_preferred_macs"]}
    assert {name for name in on if not is_weak(name)} == {*GCM, *CTR, *SHA2, *ETM, SHA1}


def test_a_server_with_a_small_window_and_small_packets_gets_all_of_it(tmp_path: Path) -> None:
    narrow: dict[str, Any] = {"window": 20_000, "max_pktsize": 5_000}
    with AsyncSshServer(tmp_path, algorithms=narrow) as server:
        check_uploads(server.customer, MEGABYTE)


class Tampering(Proxy):
    """Changes what the server says next, once `change` is set."""

    change: Callable[[bytes], bytes] | None = None

    def _say(self, client: socket.socket, data: bytes) -> None:
        change, self.change = self.change, None
        super()._say(client, change(data) if change else data)
        if change is half:
            client.shutdown(socket.SHUT_RDWR)


def half(data: bytes) -> bytes:
    """The beginning of a packet."""
    return data[:9]


def other_end(data: bytes) -> bytes:
    """Another tag, or another MAC."""
    return data[:-1] + bytes([data[-1] ^ 1])


def other_middle(data: bytes) -> bytes:
    """Other content."""
    return data[:20] + bytes([data[20] ^ 1]) + data[21:]


def of_length(length: int) -> Callable[[bytes], bytes]:
    """Another length, where it is not encrypted; what is decrypted is another one as well."""
    return lambda data: length.to_bytes(4) + data[4:] + bytes(4096)


LENGTHS = {f"length {length}": of_length(length) for length in (0, 0x7FFFFFFF, 0xFFFFFFF0)}


def of_other_length(data: bytes) -> bytes:
    """A length that could be, of a block less or more."""
    return of_length(int.from_bytes(data[:4]) ^ 16)(data)


@pytest.mark.parametrize(
    "change",
    [half, other_end, other_middle, of_other_length, *LENGTHS.values()],
    ids=["cut", "tag", "content", "other length", *LENGTHS],
)
@pytest.mark.parametrize(
    ("cipher", "mac"),
    [(GCM[0], SHA1), (CTR[0], SHA2[0]), (CTR[0], ETM[0])],
    ids=["gcm", "mac", "etm"],
)
def test_a_packet_that_is_not_as_it_was_sent_ends_the_connection(
    running: Callable[[str], CustomerServer],
    monkeypatch: pytest.MonkeyPatch,
    cipher: str,
    mac: str,
    change: Callable[[bytes], bytes],
) -> None:
    customer = running("asyncssh")
    agree(monkeypatch, cipher, mac)
    with leaving_nothing(), Tampering(customer) as proxy:
        session = open_session(customer, BRIEF, port=proxy.port)
        try:
            assert session.answers()
            proxy.change = change
            with pytest.raises(TransferError):
                session.exists("a.wav")
            assert not session.connected
        finally:
            session.close()


def test_a_packet_of_hostile_length_is_refused_at_once(
    running: Callable[[str], CustomerServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    customer = running("asyncssh")
    agree(monkeypatch, GCM[0], SHA1)
    with Tampering(customer) as proxy, closing(open_session(customer, port=proxy.port)) as session:
        proxy.change = of_length(0x7FFFFFFF)
        with pytest.raises(TransferError) as refused:
            session.exists("a.wav")
    assert refused.value.words == "The server sent a packet of no allowed length"


def test_an_upload_that_waits_for_the_window_ends_when_it_is_cut(
    running: Callable[[str], CustomerServer],
) -> None:
    customer = running("OpenSSH")
    with leaving_nothing(), Proxy(customer, freeze_after=FREEZE) as proxy:
        session = open_session(customer, LONG, port=proxy.port)
        with ThreadPoolExecutor(1) as pool:
            sent = pool.submit(session.put, [bytes(BLOCK)] * 400, "a.part")
            _until_it_waits(proxy)
            session.cut()
            with pytest.raises(TransferError):
                sent.result(20)
        session.close()


def _until_it_waits(proxy: Proxy) -> None:
    """The proxy takes no more; what the system takes besides is full soon after."""
    end = time.monotonic() + 60
    while proxy.passed <= FREEZE and time.monotonic() < end:
        time.sleep(0.05)
    assert proxy.passed > FREEZE
