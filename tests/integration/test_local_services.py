"""The services and servers that all other tests stand on do what those tests assume."""

import ftplib
import os
import signal
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path

import paramiko
import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel
from pymongo import MongoClient

from deploy.local import debian, rabbitmq
from deploy.local.customers import (
    EXPIRED_PASSWORD,
    PASSWORD,
    AsyncSshServer,
    Challenge,
    CustomerServer,
    PyFtpServer,
    SmtpSink,
)
from deploy.local.packages import debian_11_source
from deploy.local.processes import Child, ServiceError, wait_until
from deploy.local.services import Services
from tests.servers import Sshd, Vsftpd
from tests.snippets import CHECKOUT, snippet

DEB822 = """\
Types: deb
URIs: http://other.example
Suites: nodistro
Components: main

Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /key.gpg
"""
RECORDING = b"RIFF" + bytes(100_000)


@contextmanager
def channel(url: str) -> Iterator[BlockingChannel]:
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        yield connection.channel()
    finally:
        connection.close()


def declare(ch: BlockingChannel) -> None:
    ch.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})


@contextmanager
def logged_in(customer: CustomerServer) -> Iterator[paramiko.SFTPClient]:
    transport = paramiko.Transport((customer.host, customer.port))
    try:
        transport.start_client(timeout=60)
        assert transport.get_remote_server_key().fingerprint == customer.host_key
        transport.auth_password(customer.username, customer.password, fallback=False)
        with paramiko.SFTPClient.from_transport(transport) as client:  # type: ignore[union-attr]
            yield client
    finally:
        transport.close()


@contextmanager
def ftp(customer: CustomerServer) -> Iterator[ftplib.FTP]:
    with ftplib.FTP(timeout=60) as client:  # noqa: S321 - what customers have
        client.connect(customer.host, customer.port)
        client.login(customer.username, customer.password)
        yield client


def interactive_logon(customer: CustomerServer, answers: list[list[str]]) -> list[str]:
    """Log in by keyboard-interactive, a list of answers a round; what was asked."""
    asked: list[str] = []
    rounds = iter(answers)

    def answer(_title: str, _instruction: str, prompts: list[tuple[str, bool]]) -> list[str]:
        asked.extend(prompt for prompt, _ in prompts)
        return next(rounds) if prompts else []

    transport = paramiko.Transport((customer.host, customer.port))
    try:
        transport.start_client(timeout=60)
        transport.auth_interactive(customer.username, answer)
        assert transport.is_authenticated()
    finally:
        transport.close()
    return asked


@pytest.mark.parametrize("ending", ["restart", "kill"])
def test_broker_keeps_its_messages(services: Services, amqp_url: str, ending: str) -> None:
    with channel(amqp_url) as ch:
        declare(ch)
        ch.confirm_delivery()
        ch.basic_publish("", "kept", b"still here", mandatory=True)

    if ending == "restart":
        services.rabbitmq.restart()
    else:
        services.rabbitmq.save_queue_list()
        services.rabbitmq.kill()
        services.rabbitmq.start()

    with channel(amqp_url) as ch:
        _, _, body = ch.basic_get("kept", auto_ack=True)
    assert body == b"still here"


def test_each_test_has_a_broker_of_its_own(amqp_url: str) -> None:
    with channel(amqp_url) as ch:
        declare(ch)
        assert ch.queue_declare("kept", passive=True).method.message_count == 0


def test_mongodb_is_a_replica_set_that_keeps_its_data(services: Services, mongodb_url: str) -> None:
    with MongoClient[dict[str, object]](mongodb_url) as client:
        assert client.admin.command("hello")["setName"]
        client.get_default_database()["accounts"].insert_one({"_id": "acme"})
        services.mongodb.restart()
        assert client.get_default_database()["accounts"].count_documents({}) == 1
        services.mongodb.kill()
        services.mongodb.start()
        assert client.get_default_database()["accounts"].count_documents({}) == 1


def test_sshd_takes_a_password(sshd: Sshd) -> None:
    with logged_in(sshd.customer) as client:
        client.putfo(BytesIO(RECORDING), f"{sshd.customer.home}/one.wav")
        client.putfo(BytesIO(RECORDING), "two.wav")

    assert (sshd.root / "one.wav").read_bytes() == RECORDING
    assert (sshd.root / "two.wav").read_bytes() == RECORDING


def test_sshd_refuses_a_wrong_password(sshd: Sshd) -> None:
    customer = sshd.customer
    with paramiko.Transport((customer.host, customer.port)) as transport:
        transport.start_client(timeout=60)
        with pytest.raises(paramiko.AuthenticationException):
            transport.auth_password(customer.username, "wrong", fallback=False)


def test_sshd_can_take_keyboard_interactive_only(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd", logon="keyboard-interactive") as server:
        customer = server.customer
        assert interactive_logon(customer, [[customer.password]]) == ["Password: "]
        with (
            pytest.raises(paramiko.BadAuthenticationType),
            logged_in(customer),
        ):
            pass


def test_sshd_cuts_sessions_when_stopped_and_keeps_port_and_key(sshd: Sshd) -> None:
    before = sshd.customer
    with logged_in(before) as client:
        sshd.stop()
        with pytest.raises((OSError, EOFError, paramiko.SSHException)):
            client.listdir(".")
    sshd.start()
    with logged_in(sshd.customer):
        assert sshd.customer == before
    sshd.stop()
    sshd.regenerate_host_key()
    sshd.start()
    with logged_in(sshd.customer):
        assert sshd.customer.host_key != before.host_key


def test_vsftpd_stores_a_file(vsftpd: Vsftpd) -> None:
    with ftp(vsftpd.customer) as client:
        client.storbinary("STOR one.part", BytesIO(RECORDING))
        client.rename("one.part", "one.wav")
        assert client.pwd() == vsftpd.customer.home

    assert (vsftpd.root / "one.wav").read_bytes() == RECORDING


def test_vsftpd_takes_settings_and_cuts_sessions_when_stopped(tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd", extra=["cmds_denied=SIZE,RNFR"]) as server:
        with ftp(server.customer) as client:
            with pytest.raises(ftplib.error_perm, match="550"):
                client.rename("a", "b")
            server.stop()
            with pytest.raises((OSError, EOFError)):
                client.pwd()
            client.close()
        server.start()
        with ftp(server.customer) as client:
            assert client.pwd() == "/"


def test_nothing_in_a_namespace_runs_once_its_child_is_killed(tmp_path: Path) -> None:
    enter = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
    sessions = f"for each in 1 2 3 4; do setsid sh -c 'sleep 600; : {tmp_path}' & done; wait"
    child = Child("Sessions", [*enter, "sh", "-c", sessions], tmp_path / "log")
    for _ in range(20):
        child.start()
        wait_until(lambda: len(_processes_of(tmp_path)) > 4, 60, "Not all of them have begun.")
        child.kill()
        assert _processes_of(tmp_path) == []


def _processes_of(folder: Path) -> list[bytes]:
    """The commands that name it; one that has ended has none any more."""
    commands = []
    for command in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            commands.append(command.read_bytes())
    return [command for command in commands if os.fsencode(folder) in command]


def test_asyncssh_server_stores_a_file(asyncssh_server: AsyncSshServer) -> None:
    with logged_in(asyncssh_server.customer) as client:
        client.putfo(BytesIO(RECORDING), "/one.wav")

    assert (asyncssh_server.root / "one.wav").read_bytes() == RECORDING


def test_asyncssh_server_asks_what_it_is_told_to(tmp_path: Path) -> None:
    rounds = [
        Challenge((("Username: ", True), ("Password: ", False))),
        Challenge((("One-time code: ", False),), "Look at your token", answers=("123456",)),
    ]
    server = AsyncSshServer(tmp_path, logon=["keyboard-interactive"], challenges=rounds)
    with server:
        answers = [[server.username, server.password], ["123456"]]
        asked = interactive_logon(server.customer, answers)
        with pytest.raises(paramiko.AuthenticationException):
            interactive_logon(server.customer, [[server.username, "wrong"]])

    assert asked == ["Username: ", "Password: ", "One-time code: "]


def test_asyncssh_server_can_want_a_new_password(tmp_path: Path) -> None:
    rounds = [PASSWORD, EXPIRED_PASSWORD]
    with AsyncSshServer(tmp_path, logon=["keyboard-interactive"], challenges=rounds) as server:
        old = server.password
        with pytest.raises(paramiko.AuthenticationException):
            interactive_logon(server.customer, [[old], [old, old]])
        assert server.logins == 2


def test_asyncssh_server_cuts_sessions_when_stopped(asyncssh_server: AsyncSshServer) -> None:
    with logged_in(asyncssh_server.customer) as client:
        asyncssh_server.stop()
        with pytest.raises((OSError, EOFError, paramiko.SSHException)):
            client.listdir(".")
    asyncssh_server.start()
    with logged_in(asyncssh_server.customer) as client:
        assert client.listdir(".") == []


def test_pyftpd_server_stores_a_file_and_comes_back(pyftpd_server: PyFtpServer) -> None:
    with ftp(pyftpd_server.customer) as client:
        client.storbinary("STOR one.wav", BytesIO(RECORDING))
        pyftpd_server.stop()
        with pytest.raises((OSError, EOFError)):
            client.pwd()
        client.close()
    pyftpd_server.start()
    with ftp(pyftpd_server.customer) as client:
        assert client.nlst() == ["one.wav"]

    assert (pyftpd_server.customer.root / "one.wav").read_bytes() == RECORDING


def test_smtp_sink_receives_refuses_and_comes_back(smtp_sink: SmtpSink) -> None:
    def send() -> None:
        with smtplib.SMTP("127.0.0.1", smtp_sink.port, timeout=60) as client:
            client.sendmail("courier@localhost", ["ops@acme.example"], "Subject: hello\r\n\r\nhi")

    send()
    smtp_sink.refuse("451 4.3.0 try again later", at="DATA")
    with pytest.raises(smtplib.SMTPDataError, match="451"):
        send()
    smtp_sink.accept()
    smtp_sink.stop()
    with pytest.raises(ConnectionRefusedError):
        send()
    smtp_sink.start()
    send()

    mails = smtp_sink.wait_for(2)
    assert [mail.message["Subject"] for mail in mails] == ["hello", "hello"]
    assert mails[0].recipients == ("ops@acme.example",)


@pytest.mark.parametrize(
    ("file", "content", "source"),
    [
        (
            "sources.list",
            "# ours\ndeb http://mirror.example/debian bookworm main contrib\n",
            "deb http://mirror.example/debian bullseye main\n",
        ),
        (
            "sources.list.d/debian.list",
            "deb [arch=amd64 signed-by=/key.gpg] http://mirror.example/debian bookworm main\n",
            "deb [arch=amd64 signed-by=/key.gpg] http://mirror.example/debian bullseye main\n",
        ),
        (
            "sources.list.d/debian.sources",
            DEB822,
            "deb [signed-by=/key.gpg] http://mirror.example/debian bullseye main\n",
        ),
    ],
)
def test_debian_11_is_asked_for_at_the_machines_own_mirror(
    tmp_path: Path, file: str, content: str, source: str
) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / file).write_text(content)

    assert debian_11_source(tmp_path) == source


def test_the_broker_of_another_release_is_used_only_once_it_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(debian, "RELEASES", tmp_path)
    monkeypatch.setenv(rabbitmq.RELEASE_VARIABLE, "trixie")
    assert rabbitmq.installed() is None
    (tmp_path / "trixie-rabbitmq-server").mkdir()
    programs = rabbitmq.installed()
    assert programs is not None
    assert str(tmp_path / "trixie-rabbitmq-server") in programs.wrapper
    monkeypatch.setenv(rabbitmq.RELEASE_VARIABLE, "../4")
    with pytest.raises(ServiceError, match="no name of a Debian release: trixie and forky"):
        rabbitmq.installed()


def test_a_missing_service_fails_the_run_with_one_sentence() -> None:
    dead = {"COURIER_AMQP_URL": "amqp://guest:guest@127.0.0.1:1/"}
    result = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            f"{__file__}::test_each_test_has_a_broker_of_its_own",
        ],
        cwd=CHECKOUT,
        env={**os.environ, **dead},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert result.returncode == 1
    assert "COURIER_AMQP_URL names opens no connection: start it" in result.stdout
    assert "Traceback" not in result.stdout


PROGRAM = """
import signal, sys
from pathlib import Path
from deploy.local.services import services
with services():
    print(*(file.read_text() for file in Path("/proc/self/task").glob("*/children")), flush=True)
    if sys.argv[1] != "leave":
        signal.pause()
"""


@pytest.mark.parametrize("ending", ["leave", "SIGTERM", "SIGKILL"])
def test_no_process_is_left_behind(ending: str) -> None:
    without_urls = {k: v for k, v in os.environ.items() if not k.startswith("COURIER_")}
    with snippet(PROGRAM, ending, environment=without_urls, stderr=subprocess.DEVNULL) as program:
        assert program.stdout is not None
        children = [Path("/proc") / pid for pid in program.stdout.readline().split()]
        if ending != "leave":
            program.send_signal(signal.Signals[ending])
        program.wait(30)

    assert children
    wait_until(lambda: not any(p.exists() for p in children), 60, "A server is left behind.")
