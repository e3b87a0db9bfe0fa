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
from transports.errors import FtpAnswers, Speaker, SshAnswers, StrangerAnswers
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
