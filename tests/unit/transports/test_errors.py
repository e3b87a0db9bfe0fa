"""No error of a library leaves the package untranslated, and each has words for a person."""

import builtins
import inspect
import socket
import ssl
import struct
from collections.abc import Iterator

import paramiko.sftp
import paramiko.ssh_exception
import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from pydantic import SecretStr

from transports import errors, placing, words
from transports.errors import (
    AccountFailure,
    ConnectionLost,
    HostKeyChanged,
    Kind,
    LoginRefused,
    ProtocolFailed,
    Speaker,
    Stalled,
    TransferError,
)
from transports.ftp import errors as ftp_errors
from transports.ssh import connection as ssh_connection
from transports.ssh import transport as ssh

_ARGUMENTS: dict[str, tuple[object, ...]] = {
    "BadAuthenticationType": ("no", ["publickey"]),
    "BadHostKeyException": ("host", paramiko.PKey(), paramiko.PKey()),
    "ChannelException": (4, "resource shortage"),
    "NoValidConnectionsError": ({("127.0.0.1", 22): OSError("refused")},),
    "PartialAuthentication": (["publickey"],),
    "ProxyCommandFailure": ("nc", "failed"),
    "UnicodeDecodeError": ("utf-8", b"\xff", 0, 1, "bad"),
    "UnicodeEncodeError": ("utf-8", "\ud800", 0, 1, "bad"),
    "UnicodeTranslateError": ("\ud800", 0, 1, "bad"),
}


def _exceptions_of(module: object) -> Iterator[type[Exception]]:
    for _, found in inspect.getmembers(module, inspect.isclass):
        if issubclass(found, Exception):
            yield found


def _subclasses(of: type[Exception]) -> Iterator[type[Exception]]:
    yield of
    for below in of.__subclasses__():
        if below.__module__ in {"builtins", "socket", "ssl", "shutil", "http.client"}:
            yield from _subclasses(below)


def _made(of: type[Exception]) -> Exception:
    return of(*_ARGUMENTS.get(of.__name__, ("what the library says",)))


SYSTEM = {*_subclasses(OSError), ssl.SSLError, socket.gaierror, socket.herror, TimeoutError}
OF_PARAMIKO = {
    *_exceptions_of(paramiko.ssh_exception),
    *_exceptions_of(paramiko.sftp),
    paramiko.SFTPError,
    ssh.Flooded,
    EOFError,
}
OF_FTP = {ftp_errors.Refused, ftp_errors.Garbled, ftp_errors.Stranger, EOFError}
GARBLED = {
    struct.error,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    AssertionError,
    InvalidTag,
    InvalidSignature,
    *_subclasses(ValueError),
}


@pytest.mark.parametrize("of", sorted(SYSTEM | OF_PARAMIKO | GARBLED, key=str))
def test_every_error_of_paramiko_is_translated(of: type[Exception]) -> None:
    _is_told_to_a_person(ssh_connection.translate(_made(of), SecretStr("secret")))


@pytest.mark.parametrize("of", sorted(SYSTEM | OF_FTP | GARBLED, key=str))
def test_every_error_of_ftp_is_translated(of: type[Exception]) -> None:
    _is_told_to_a_person(ftp_errors.translate(_made(of), SecretStr("secret")))


@pytest.mark.parametrize("of", sorted(OF_PARAMIKO | {ssl.SSLError} | GARBLED, key=str))
def test_no_words_of_a_library_are_called_the_servers(of: type[Exception]) -> None:
    failure = ssh_connection.translate(_made(of), SecretStr("secret"))
    assert failure.said_by is not Speaker.SERVER


def _is_told_to_a_person(failure: TransferError) -> None:
    assert failure.kind is Kind.ACCOUNT
    assert failure.words
    assert "Traceback" not in failure.words
    assert not any(name in failure.words for name in dir(builtins) if name.endswith("Error"))


@pytest.mark.parametrize(
    ("error", "expected", "told"),
    [
        (paramiko.AuthenticationException("Authentication failed."), LoginRefused, "Authen"),
        (paramiko.SSHException("Garbage"), ProtocolFailed, "Garbage"),
        (EOFError(), ConnectionLost, "The server closed the connection"),
        (TimeoutError(), Stalled, "Connection timed out"),
        (ConnectionResetError(104, "Connection reset by peer"), ConnectionLost, "Connection reset"),
    ],
)
def test_errors_of_paramiko_mean(
    error: Exception, expected: type[TransferError], told: str
) -> None:
    failure = ssh_connection.translate(error)
    assert type(failure) is expected
    assert failure.words.startswith(told)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("530 Login incorrect.", LoginRefused),
        ("552 Quota exceeded.", errors.QuotaExceeded),
        ("452 No space.", errors.QuotaExceeded),
        ("426 Aborted.", ConnectionLost),
        ("425 No data connection.", errors.ConnectFailed),
        ("550 No.", AccountFailure),
        ("451 Local error.", AccountFailure),
    ],
)
def test_refusals_of_ftp_are_told_by_their_code(reply: str, expected: type[TransferError]) -> None:
    failure = ftp_errors.translate(ftp_errors.refusal(reply))
    assert (type(failure), failure.words) == (expected, reply)


def test_a_refused_name_is_told_with_what_servers_commonly_forbid_in_it() -> None:
    refused = placing.name_refused("550 The filename is incorrect.", "calls/14:05.wav")
    assert 'does not accept the name "14:05.wav"' in refused.advice
    assert 'forbid ":"' in refused.advice
    assert '"Replace Characters"' in refused.advice
    assert "forbid" not in placing.name_refused("553 No.", "call.wav").advice
    assert 'Some servers forbid "#"' in placing.name_refused("553 No.", "call #1.wav").advice


def test_every_error_of_the_package_has_a_kind_and_advice() -> None:
    for of in _all_below(TransferError):
        if issubclass(of, HostKeyChanged):
            failure: TransferError = of(pinned=("x",), shown="y")
        else:
            failure = of("x")
        assert failure.kind in Kind
        assert failure.advice.endswith(".")
        assert failure.part_left is False


def _all_below(of: type[TransferError]) -> Iterator[type[TransferError]]:
    for below in of.__subclasses__():
        if below.__module__.startswith("transports."):
            yield below
        yield from _all_below(below)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("550 No\r\nsuch\tfile\x00\x1b[0m", "550 No such file [0m"),
        ("ungültig".encode("latin-1"), "ungültig"),
        ("ungültig".encode(), "ungültig"),
        ("ungültig".encode("latin-1").decode("utf-8", "surrogateescape"), "ungültig"),
        ("the password is hunter2!", "the password is ***!"),
        ("x" * 600, "x" * 499 + "…"),
        ("", ""),
    ],
)
def test_words_are_one_printable_bounded_line_without_the_password(
    said: str | bytes, told: str
) -> None:
    assert words.spoken(said, SecretStr("hunter2")) == told


def test_words_of_tls_are_free_of_the_library() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    assert "_ssl.c" not in words.system_words(error)
