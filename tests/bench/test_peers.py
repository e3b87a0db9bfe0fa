"""What the peers of the benchmark are told, and how what they took is counted."""

import json
import sys
from pathlib import Path

import pytest

from config.accounts import Protocol
from deploy.local.customers import CustomerServer
from tests.bench import peers
from tests.bench.fed import TASKS, Celery, Job, Sr3
from tests.bench.files import make_recordings
from tests.bench.killed import CUT, LEFT, LOST, TWICE, Customer
from tests.bench.peers import Errand, PeerFailed, Process, run
from tests.servers import Sshd
from tests.servers.namespace import LOOPBACK

BURN = "import time\nwhile time.process_time() < 0.3: pass"


def python(code: str, **env: str) -> Process:
    return Process([sys.executable, "-c", code], env)


def errand(server: CustomerServer, folder: Path) -> Errand:
    work = folder / "work"
    work.mkdir()
    return Errand(server, Protocol.SFTP, folder / "local", work)


def test_the_kernel_counts_a_program_and_what_it_leaves_behind() -> None:
    leaves = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BURN!r}])"

    assert run(python(BURN), python(leaves)).processor_seconds >= 0.6


def test_so_many_at_once_and_no_more() -> None:
    nap = "import time; time.sleep(0.4)"

    assert run(*[python(nap)] * 4, at_once=2).seconds >= 0.8


def test_a_program_that_tells_what_it_took_is_believed() -> None:
    spent = run(Process([sys.executable, "-c", "print('[1.5, 0.25]')"], {}, tells=True))

    assert (spent.seconds, spent.processor_seconds) == (1.5, 0.25)


def test_a_program_that_fails_ends_the_run_with_its_last_words() -> None:
    with pytest.raises(PeerFailed, match="no such luck"):
        run(python("import sys; sys.exit('no such luck')"))


def test_a_program_that_is_not_there_ends_the_run() -> None:
    with pytest.raises(PeerFailed, match="No such file"):
        run(Process(["/nonexistent"], {}))


@pytest.mark.parametrize(
    "peer",
    [
        peers.openssh(renamed=True),
        peers.openssh(cipher=peers.GCM, renamed=True),
        peers.lftp(2, renamed=True),
        peers.rclone(2),
    ],
    ids=["openssh", "openssh-gcm", "lftp", "rclone"],
)
def test_the_same_work_is_a_temporary_name_and_a_rename(peer: peers.Peer, tmp_path: Path) -> None:
    recordings = make_recordings(tmp_path / "local", 3, 100_000)
    told = ["ForceCommand /usr/lib/openssh/sftp-server -e -l INFO 2>>.log"]
    with Sshd(tmp_path / "sshd", extra=told) as server:
        run(peer(errand(server.customer, tmp_path)))

        log = (server.root / ".log").read_text()
        arrived = sorted(path.name for path in server.root.iterdir() if path.name != ".log")
    assert arrived == recordings.names
    assert log.count("rename old") == len(recordings.names), log


def test_the_cipher_is_the_one_that_was_asked_for(tmp_path: Path) -> None:
    server = CustomerServer(
        host=LOOPBACK, port=1, username="customer", password="", root=tmp_path / "home", home="/"
    )
    (tmp_path / "local").mkdir()
    (tmp_path / "host_key.pub").write_text("ssh-ed25519 AAAA nobody")

    argv = peers.openssh(cipher=peers.GCM)(errand(server, tmp_path)).argv

    assert argv[argv.index("-c") + 1] == "aes128-gcm@openssh.com"


def test_sr3_is_told_of_a_file_in_its_own_format(tmp_path: Path) -> None:
    (tmp_path / "one.wav").write_bytes(b"12345")

    message = Sr3().message(Job("acme", tmp_path / "one.wav"))

    assert (message.exchange, message.key) == ("recordings", "v03.acme")
    told = json.loads(message.body)
    assert (told["baseUrl"], told["relPath"], told["size"]) == ("file:/", "one.wav", 5)
    assert message.properties.content_type == "application/json"


def test_celery_is_told_of_a_file_as_a_task_of_its_protocol(tmp_path: Path) -> None:
    message = Celery().message(Job("acme", tmp_path / "one.wav", "in"))

    (number, account, path, name), keywords, _ = json.loads(message.body)
    assert (account, path, name) == ("acme", str(tmp_path / "one.wav"), "in/one.wav")
    assert keywords == {}
    assert message.properties.headers["task"] == "recordings.deliver"
    assert message.properties.headers["id"] == number


def test_tools_are_locked_with_hashes_name_no_index_and_are_in_no_lock_of_the_program() -> None:
    tools = (TASKS / "requirements.txt").read_text()
    packages = [line for line in tools.splitlines() if "==" in line]

    assert all(line.endswith("\\") for line in packages), "each is followed by its hashes"
    assert "://" not in tools
    for lock in ("requirements.txt", "requirements-runtime.txt"):
        assert not {"celery", "metpx-sr3"} & names(peers.ROOT / lock)


def names(lock: Path) -> set[str]:
    return {line.partition("==")[0] for line in lock.read_text().splitlines() if "==" in line}


def test_a_customer_counts_what_he_has_found_by_content(tmp_path: Path) -> None:
    here = make_recordings(tmp_path / "local", 3, 1000)
    there = tmp_path / "home"
    there.mkdir()
    first, second, _ = (here.folder / name for name in here.names)
    customer = Customer(there, here.digests)
    (there / "one.wav").write_bytes(first.read_bytes())
    (there / "two.wav").write_bytes(second.read_bytes()[:500])
    (there / "three.wav.part").write_bytes(b"")
    assert customer.arrived == 2

    customer.look()
    (there / "again").write_bytes(first.read_bytes())
    (there / "again").replace(there / "one.wav")
    (there / "two.wav.part").write_bytes(second.read_bytes())
    (there / "two.wav.part").replace(there / "two.wav")
    customer.look()
    customer.look()

    assert customer.figures() == {LOST: 1, TWICE: 1, CUT: 1, LEFT: 1}
