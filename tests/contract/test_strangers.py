"""Something else answers than what the settings say."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from config.accounts import Protocol
from tests.contract.accounts import LIMITS, settings_of
from tests.contract.scripted import ScriptedServer
from tests.servers import Sshd, Vsftpd
from transports import settings_test
from transports.base import Egress
from transports.errors import FtpAnswers, LoginRefused, Speaker, SshAnswers, StrangerAnswers
from transports.settings_report import TestReport
from transports.words import MAX_BANNER


def report_of(server: Sshd | Vsftpd | ScriptedServer, protocol: Protocol) -> TestReport:
    settings = settings_of(server.customer, protocol=protocol)
    return settings_test.test_settings(settings, SecretStr("y"), LIMITS, Egress())


def test_an_ftp_server_asked_for_sftp_is_told_with_what_to_choose(tmp_path: Path) -> None:
    with Vsftpd(tmp_path / "vsftpd") as server:
        report = report_of(server, Protocol.SFTP)
    assert isinstance(report.failure, FtpAnswers)
    assert report.failure.said_by is Speaker.SERVER
    assert report.steps[-1].detail.endswith(
        "An FTP server answers here: choose FTP, or another port."
    )


def test_an_sftp_server_asked_for_ftp_is_told_with_what_to_choose(tmp_path: Path) -> None:
    with Sshd(tmp_path / "sshd") as server:
        report = report_of(server, Protocol.FTP)
    assert isinstance(report.failure, SshAnswers)
    assert report.steps[-1].detail.endswith(
        "An SFTP server answers here: choose SFTP, or another port."
    )


@pytest.mark.parametrize("protocol", Protocol)
def test_of_another_service_no_more_is_shown_than_the_beginning_of_its_banner(
    protocol: Protocol,
) -> None:
    banner = b"+OK \x1b[31msecrets of the inside " + b"x" * 300 + b"\r\n"
    with ScriptedServer([banner], b"") as server:
        report = report_of(server, protocol)
    assert isinstance(report.failure, StrangerAnswers)
    assert len(report.failure.words) == MAX_BANNER
    assert report.steps[-1].detail.startswith("+OK [31msecrets of the inside")


@pytest.mark.parametrize(
    ("greeting", "answer"),
    [
        (b"220 mail.example ESMTP Postfix", b"502 5.5.2 Error: " + b"s" * 300),
        (b"220-mail.example ESMTP Exim\r\n220 no bulk mail", b"500 unrecognized " + b"s" * 300),
        (b"220 mail.example ESMTP Postfix", b""),
        (b"554 mail.example ESMTP " + b"s" * 300, b""),
        (b"421 mail.example SMTP " + b"s" * 300, b""),
        (b"220-no bulk mail\r\n220 mail.example ESMTP Exim", b"500 unrecognized " + b"s" * 300),
        (b"220 mail.example ESMTP", b"530 5.7.0 Must issue a STARTTLS command " + b"s" * 300),
        (b"220 mail.example ready", b"502 5.5.2 Error: " + b"s" * 300),
        (b"200 news.example InterNetNews", b"500 What? " + b"s" * 300),
        (b"201 news.example InterNetNews", b"480 Authentication required " + b"s" * 300),
    ],
)
def test_a_mail_or_news_server_is_no_ftp_server_though_it_greets_like_one(
    greeting: bytes, answer: bytes
) -> None:
    with ScriptedServer([greeting + b"\r\n"], *([answer + b"\r\n"] if answer else ())) as server:
        report = report_of(server, Protocol.FTP)
    assert isinstance(report.failure, StrangerAnswers)
    assert len(report.failure.words) <= MAX_BANNER
    assert report.failure.words.startswith(greeting[:20].decode().splitlines()[0])


def test_an_ftp_server_may_speak_of_mail_in_its_greeting() -> None:
    answers = (b"331 Password?\r\n", b"530 Login incorrect.\r\n")
    with ScriptedServer([b"220 ftp of our ESMTP host\r\n"], *answers) as server:
        report = report_of(server, Protocol.FTP)
    assert isinstance(report.failure, LoginRefused)


@pytest.mark.parametrize(
    "greeting",
    [
        b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
        b"* BYE IMAP server shuts down\r\n",
        b"-ERR no POP3 for you\r\n",
        b"554 mail.example ESMTP not accepting messages\r\n",
        b"RFB 003.008\n",
        b"J\0\0\0\n8.0.36\0\x08\0\0\0qwertyui",
        b"\xff\xfd\x18\xff\xfd login: ",
        b"\x15\x03\x01\0\x02\x02\x46",
    ],
)
def test_another_service_that_hangs_up_is_not_an_sftp_server_that_is_busy(greeting: bytes) -> None:
    with ScriptedServer([greeting]) as server:
        report = report_of(server, Protocol.SFTP)
    assert isinstance(report.failure, StrangerAnswers)
