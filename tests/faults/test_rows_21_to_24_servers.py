"""Connections are cut anywhere, disks are full, requests are refused, keys change."""

import random
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pyftpdlib.handlers import FTPHandler

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from tests.contract.proxy import Proxy
from tests.faults.accounting import files_below
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import Scene, wait
from tests.integration.platform import until
from tests.servers import Sshd, Vsftpd
from tests.servers.misbehaving import Mood
from tests.servers.namespace import NamespacedServer

IT = ("it@customer.example",)
SIZE = 700_000


@pytest.mark.parametrize(
    "kind",
    [
        "sshd",
        pytest.param("vsftpd", marks=pytest.mark.slow),
        pytest.param("asyncssh_server", marks=pytest.mark.slow),
        "pyftpd_server",
    ],
)
def test_row_21_connections_cut_anywhere_never_leave_a_truncated_file(
    make_scene: MakeScene, request: pytest.FixtureRequest, tell: Tell, kind: str
) -> None:
    ground = make_scene(max_tries=1000, suspend_after=1000)
    server = request.getfixturevalue(kind).customer
    protocol = Protocol.SFTP if server.host_key else Protocol.FTP
    ground.customer("acme", server, protocol)
    cuts: list[int] = []

    def next_cut() -> int:
        cuts.append(random.randrange(2 * SIZE))  # noqa: S311 - it spreads the cuts
        return cuts[-1]

    with Proxy(server, cut_after=next_cut(), again=next_cut) as proxy:
        ground.platform.save("acme", server, protocol, path="acme", port=proxy.port)
        ground.start()
        ground.publish("acme", 10, size=SIZE)
        with watched(ground.accounts["acme"].folder) as truncated:
            ground.wait_delivered(limit=90)
        print("cuts", cuts)  # noqa: T201 - shown with a failure
    assert not truncated
    wait(0.5)
    ground.account_for_all()
    tell(f"{kind.removesuffix('_server')}: {len(cuts)} cuts, 10 files whole")


@contextmanager
def watched(folder: Path) -> Iterator[list[str]]:
    """Final names that are seen with less than their content while the block runs."""
    found: list[str] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.01):
            for path in files_below(folder):
                short = path.suffix == ".wav" and path.stat().st_size < SIZE
                found.extend([path.name] * short)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join(5)


@pytest.mark.parametrize("kind", [Sshd, Vsftpd])
def test_row_22_a_full_disk_is_told_in_the_servers_words_and_leaves_no_final_file(
    make_scene: MakeScene, tmp_path: Path, tell: Tell, kind: type[NamespacedServer]
) -> None:
    ground = make_scene(suspend_after=3)
    server = kind(tmp_path / "small")  # type: ignore[call-arg]
    with tmpfs(server.root, "2m"), server:
        protocol = Protocol.SFTP if server.host_key else Protocol.FTP
        ground.customer("acme", server.customer, protocol)
        fill = server.root / "fill"
        fill.write_bytes(b"x" * 1_500_000)
        ground.start()
        ground.publish("acme", 2, size=SIZE)
        run = ground.platform.wait_state("acme", "suspended")
        assert run.last_error is not None
        words = run.last_error.words
        assert not [path for path in files_below(server.root) if path.suffix == ".wav"]
        fill.unlink()
        ground.wait_delivered()
        ground.account_for_all()
    tell(f"{kind.__name__.lower()} on a full tmpfs: “{words}”")


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[None]:
    """A small disk of its own, for the server's user."""
    owner = folder.stat()
    options = f"size={size},uid={owner.st_uid},gid={owner.st_gid},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_row_22_a_quota_and_a_read_only_path_are_told_in_the_servers_words(
    make_scene: MakeScene, sshd: Sshd, tmp_path: Path, tell: Tell
) -> None:
    class Quota(FTPHandler):  # type: ignore[misc]
        full = True

        def ftp_STOR(self, file: str, mode: str = "w") -> Any:
            if Quota.full:
                return self.respond("552 Quota exceeded, ask for more.")
            return super().ftp_STOR(file, mode)

    (tmp_path / "quota").mkdir()
    ground = make_scene(suspend_after=3)
    with PyFtpServer(tmp_path / "quota", handler=Quota) as ftp:
        ground.customer("quota", ftp.customer, Protocol.FTP)
        ground.customer("locked", sshd.customer, Protocol.SFTP)
        (sshd.root / "locked").mkdir(mode=0o555)  # root's: the customer may not write there
        ground.start()
        for account in ("quota", "locked"):
            ground.publish(account, 2)
        words = {}
        for account in ("quota", "locked"):
            run = ground.platform.wait_state(account, "suspended")
            assert run.last_error is not None
            words[account] = run.last_error.words
        assert "Quota exceeded, ask for more" in words["quota"]
        assert not files_below(ftp.customer.root) + files_below(sshd.root)
        Quota.full = False
        (sshd.root / "locked").chmod(0o777)
        ground.wait_delivered()
        ground.account_for_all()
    tell(f"“{words['quota']}”, “{words['locked']}”; delivered once there was room")


def test_row_23_where_stat_rename_or_mkdir_are_refused_there_is_a_way_round_and_the_row_says_so(
    ground: Scene, tmp_path: Path, tell: Tell
) -> None:
    ground.start()
    servers = []
    for verb in ("SIZE", "RNFR", "MKD"):
        root = tmp_path / verb
        root.mkdir()
        servers.append(PyFtpServer(root, handler=refusing(verb)))
        servers[-1].start()
        if verb == "MKD":
            (root / verb).mkdir()
        ground.customer(verb, servers[-1].customer, Protocol.FTP)
        ground.publish(verb, 2)
    ground.wait_delivered()
    ground.account_for_all()
    for server in servers:
        server.stop()
    verified = {row["account_id"]: row["verified"] for row in ground.rows().values()}
    assert verified == {"SIZE": "reply", "RNFR": "size", "MKD": "size"}
    tell("without SIZE verified by “reply”, without RNFR and MKD by “size”")


def refusing(verb: str) -> type[FTPHandler]:
    def refuse(handler: FTPHandler, *_: object) -> None:
        handler.respond(f"502 {verb} is not implemented here.")

    return type(f"Refusing{verb}", (FTPHandler,), {f"ftp_{verb}": refuse})


def test_row_24_a_changed_host_key_is_given_no_credential_and_the_alert_says_so(
    ground: Scene, customer: AsyncSshServer, mood: Mood, smtp_sink: SmtpSink, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    old = str(customer.customer.host_key)
    customer.stop()
    customer.regenerate_host_key()
    customer.start()
    new = str(customer.customer.host_key)
    ground.start()
    ground.publish("acme", 11)
    ground.platform.wait_state("acme", "suspended")
    text = smtp_sink.wait_for(1)[0].message.get_content()
    assert customer.logins == 0
    assert not mood.uploads
    assert old in text
    assert new in text
    until(lambda: ground.platform.run_state("acme").suspensions >= 2, "a probe")
    assert customer.logins == 0
    ground.platform.save("acme", customer.customer, Protocol.SFTP, path="acme")
    ground.wait_delivered()
    ground.account_for_all()
    tell("0 credentials sent in 11 and more connections; both fingerprints in the alert")
