"""Sources that the kernel makes up, such as never end, and large ones over a line that drops."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme
from pydantic import SecretStr

from config.accounts import Protocol
from consumers.upkeep.removal import remove_account
from deploy.local.customers import AsyncSshServer
from tests.faults.accounting import files_below
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import Scene
from tests.integration.platform import until
from tests.servers.cutting import CuttingProxy
from tests.servers.https import ScriptedHttps
from tests.servers.s3 import BUCKET, RcloneS3
from worker.core import open_messaging

MADE_UP = [
    "/proc/self/environ",
    "/proc/self/pagemap",
    "/proc/self/maps",
    "/proc/1/environ",
    str(Path("/proc/self", "root", "proc", "version")),
    "/sys/kernel/mm/transparent_hugepage/enabled",
    "/dev/zero",
    "/dev/null",
]
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNK = b"8000\r\n" + bytes(0x8000) + b"\r\n"
IN_BUFFERS = 16_000_000
"""Bytes that may lie in the system's buffers when a connection is closed."""


@pytest.fixture
def https(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ScriptedHttps]:
    """A server whose certificate the workers trust."""
    authority = trustme.CA()
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with ScriptedHttps(authority) as server:
        yield server


@pytest.mark.parametrize("dirs", [(), (Path("/"),)], ids=["any folder", "the root"])
def test_row_38_nothing_that_the_kernel_makes_up_leaves(
    make_scene: MakeScene, customer: AsyncSshServer, tell: Tell, dirs: tuple[Path, ...]
) -> None:
    ground = make_scene(source_dirs=dirs, suspend_after=2, retry_delays=(0.0,))
    ground.customer("acme", customer.customer, Protocol.SFTP)
    os.mkfifo(ground.platform.folder / "pipe")
    worker = ground.start()
    names = [*MADE_UP, f"/proc/{worker.pid}/environ", str(ground.platform.folder / "pipe")]
    for path in names:
        ground.platform.publish("acme", f"file://{path}", recording_id=path, file_name="a.wav")
        ground.accounts["acme"].published[path] = None
    good = ground.publish("acme", 3)
    for path in names:
        row = ground.platform.wait_status(path, "dead_lettered")
        assert (row["tries"], row["reason"], row["last_error"]["kind"]) == (5, "source", "source")
    ground.wait_delivered(*good)
    ground.account_for_all()
    assert len(files_below(customer.customer.root)) == len(good)
    assert ground.platform.run_state("acme").failures == 0
    tell(f"{len(names)} of procfs, sysfs, devices and a pipe: dead letters, no byte of them left")


def test_row_38_a_source_without_end_is_ended_at_the_limit(
    ground: Scene, customer: AsyncSshServer, https: ScriptedHttps, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    https.says(CHUNKED, for_ever=CHUNK)
    worker = ground.start(max_source_bytes=3_000_000)
    ground.platform.publish("acme", f"{https.url}/endless.wav", recording_id="endless")
    ground.accounts["acme"].published["endless"] = None
    good = ground.publish("acme", 3)
    row = ground.platform.wait_status("endless", "dead_lettered")
    assert row["last_error"]["words"].startswith("It has more than the 3000000 bytes")
    ground.wait_delivered(*good)
    ground.wait_clean()
    ground.account_for_all()
    assert https.sent < 5 * (3_000_000 + IN_BUFFERS)
    assert worker.exit_code is None
    tell("chunks without end: 5 tries of 3 MB, dead letter, nothing left")


def test_row_38_a_source_without_end_is_cut_when_its_account_is_removed(
    ground: Scene, customer: AsyncSshServer, https: ScriptedHttps, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    ground.customer("beta", customer.customer, Protocol.SFTP)
    https.says(CHUNKED, for_ever=CHUNK)
    worker = ground.start()
    before = worker.memory()
    ground.platform.publish("acme", f"{https.url}/endless.wav", recording_id="endless")
    until(lambda: https.sent > 20_000_000, "the upload to run")
    core = ground.platform.core
    with open_messaging(core, lambda _: None) as messaging:
        remove_account(core.directory, core.ledger, messaging.broker, "acme")
    until(lambda: not https.open_now, "the source to be cut")
    del ground.accounts["acme"]
    ground.publish("beta", 3)
    ground.wait_delivered()
    until(lambda: not files_below(customer.customer.root / "acme"), "what was sent to be removed")
    ground.account_for_all()
    assert worker.exit_code is None
    assert worker.memory() < before + 120_000
    tell("account removed while chunks without end were sent: cut, nothing left, others go on")


def test_row_38_a_large_object_over_a_line_that_drops_comes_once_and_in_little_memory(
    ground: Scene, customer: AsyncSshServer, tmp_path: Path, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    content = os.urandom(1_000_000) * 150
    with RcloneS3(tmp_path / "s3") as s3, CuttingProxy(s3.port, after=40_000_000) as proxy:
        url = s3.put("large.wav", content)
        worker = ground.start(
            s3_buckets=(BUCKET,),
            s3_endpoint=proxy.endpoint,
            s3_access_key_id=s3.keys.access_key_id,
            s3_secret_access_key=SecretStr(s3.keys.secret_access_key),
        )
        ground.wait_delivered(*ground.publish("acme", 1))
        before = worker.memory()
        ground.platform.publish(
            "acme",
            url,
            recording_id="large.wav",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
        )
        ground.accounts["acme"].published["large.wav"] = content
        row = ground.platform.wait_status("large.wav", "delivered")
        assert row["tries"] == 0
        grown = worker.memory() - before
        assert grown < 120_000
        assert proxy.connections <= 6
    ground.account_for_all()
    tell(f"150 MB from S3, cut each 40 MB: {proxy.connections} requests, {grown // 1000} MB more")
