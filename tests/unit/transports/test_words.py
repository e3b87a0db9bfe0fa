"""Whose words a failure has, and what is masked in them."""

import errno
import ssl

import pytest
from paramiko.sftp import SFTPError
from paramiko.ssh_exception import (
    AuthenticationException,
    ChannelException,
    IncompatiblePeer,
    SSHException,
)
from pydantic import SecretStr

from transports.errors import (
    ConnectFailed,
    FtpAnswers,
    LoginRefused,
    ProtocolFailed,
    Speaker,
    SshAnswers,
    StrangerAnswers,
)
from transports.ftp import errors as ftp_errors
from transports.ftp.errors import Garbled
from transports.ssh import connection as ssh_connection
from transports.ssh import transport as ssh
from transports.words import MAX_BANNER, lost, own, spoken, stranger, system_words

SHORT = SecretStr("y")


def test_a_servers_words_are_the_servers() -> None:
    assert LoginRefused(spoken(b"530 Login incorrect.")).said_by is Speaker.SERVER
    refused = ftp_errors.translate(ftp_errors.Refused("550 Permission denied."))
    assert (refused.words, refused.said_by) == ("550 Permission denied.", Speaker.SERVER)


def test_the_operating_systems_words_are_not_called_the_servers() -> None:
    error = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")
    assert ConnectFailed(system_words(error)).said_by is Speaker.SYSTEM
    assert (
        lost(ConnectionResetError(errno.ECONNRESET, "Connection reset")).said_by is Speaker.SYSTEM
    )


def test_a_sentence_of_the_program_is_its_own_be_a_servers_words_in_it() -> None:
    assert ProtocolFailed("The server does not speak SSH").said_by is Speaker.COURIER
    assert LoginRefused(f"The server only takes: {spoken('publickey')}").said_by is Speaker.COURIER
    assert lost(EOFError()).said_by is Speaker.COURIER


@pytest.mark.parametrize(
    "error",
    [
        AuthenticationException("Authentication failed."),
        IncompatiblePeer("Incompatible ssh peer (no acceptable kex algorithm)"),
        SSHException("Error reading SSH protocol banner"),
        SSHException("No existing session"),
        ChannelException(4, "Resource shortage"),
        SFTPError("Garbage packet received"),
        OSError("Socket is closed"),
        ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"),
        ssl.SSLCertVerificationError("self-signed certificate"),
        KeyError("x"),
    ],
)
def test_what_a_library_says_the_server_has_not_said(error: Exception) -> None:
    failure = ssh_connection.translate(error)
    assert failure.said_by is Speaker.COURIER
    assert ftp_errors.translate(error).said_by is Speaker.COURIER


def test_a_servers_words_that_are_no_reply_are_the_servers_all_the_same() -> None:
    assert ftp_errors.translate(Garbled("299 what?")).said_by is Speaker.SERVER


def test_a_short_password_is_masked_in_a_servers_words() -> None:
    assert spoken("530 y is no password", SHORT) == "530 *** is no password"


@pytest.mark.parametrize(
    ("words", "password"),
    [
        (b"530 not my  pass", "my  pass"),
        (b"530 not my\tpass", "my  pass"),
        ("530 not gehe\u00efm".encode(), "gehe\u00efm"),
        ("530 not gehe\u00efm ".encode() + b"\xff", "gehe\u00efm"),
        (b"530 not gehe\xefm", "gehe\u00efm"),
    ],
)
def test_a_password_is_masked_however_it_is_spelt(words: bytes, password: str) -> None:
    said = spoken(words, SecretStr(password))
    assert said.startswith("530 not ***")
    assert "pass" not in said
    assert "gehe" not in said


def test_a_short_password_masks_nothing_in_the_programs_own_words() -> None:
    endless = ftp_errors.translate(Garbled(own("The server's reply does not end")), SHORT)
    assert endless.words == "The server's reply does not end"
    flooded = ssh.Flooded(own("The server sent more than it was asked for by any"))
    assert "***" not in ssh_connection.translate(flooded, SHORT).words
    assert "***" in ssh_connection.translate(SSHException("any"), SHORT).words


@pytest.mark.parametrize(
    ("greeting", "failure"),
    [
        (b"SSH-2.0-OpenSSH_9.2p1\r\n", SshAnswers),
        (b"220 ProFTPD Server ready\r\n", FtpAnswers),
        (b"220-Welcome to Pure-FTPd", FtpAnswers),
        (b"220 mail.example ESMTP Postfix\r\n", StrangerAnswers),
        (b"HTTP/1.1 400 Bad Request\r\n", StrangerAnswers),
        (b"-ERR unknown command\r\n", StrangerAnswers),
    ],
)
def test_what_answers_instead_is_told_by_its_greeting(
    greeting: bytes, failure: type[ProtocolFailed]
) -> None:
    assert type(stranger(greeting)) is failure


def test_of_a_strangers_banner_no_more_is_shown_than_its_beginning() -> None:
    words = stranger(b"secrets of \x00\x1b[31m another service " + b"x" * 1000).words
    assert len(words) == MAX_BANNER
    assert words.isprintable()
