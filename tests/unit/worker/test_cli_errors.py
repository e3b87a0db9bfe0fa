"""The one map from errors to sentences."""

import pytest
import typer
from pydantic import ValidationError
from pymongo.errors import (
    AutoReconnect,
    InvalidURI,
    OperationFailure,
    ServerSelectionTimeoutError,
)

from config.errors import SettingsError, UnknownAccount
from config.ftp_settings import FtpSettings
from consumers.amqp.connection import BrokerAway, NotRouted
from consumers.intake.reasons import InvalidEvent, Reason
from transports.errors import LoginRefused, NoTlsAnswers
from worker.cli.errors import explain, sentence
from worker.cli.refusal import Refused

SELECTION = ServerSelectionTimeoutError(
    "db:1: [Errno 111] Connection refused (configured timeouts: socketTimeoutMS: 20000.0ms), "
    "Timeout: 5.0s, Topology Description: <TopologyDescription id: 1>"
)


def wrong_settings() -> ValidationError:
    with pytest.raises(ValidationError) as raised:
        FtpSettings.model_validate({"protocol": "sftp", "host": "a b", "port": 0})
    return raised.value


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Refused("It was refused: do that."), "It was refused: do that."),
        (
            UnknownAccount("x"),
            "There is no account 'x': 'courier accounts list' shows those there are.",
        ),
        (
            BrokerAway("Connection refused"),
            "RabbitMQ cannot be used (Connection refused): start it, or correct COURIER_AMQP_URL.",
        ),
        (
            SELECTION,
            "MongoDB is away (db:1: Connection refused): start it, or correct COURIER_MONGODB_URL.",
        ),
        (
            AutoReconnect("connection closed"),
            "MongoDB is away (connection closed): start it, or correct COURIER_MONGODB_URL.",
        ),
        (
            OperationFailure("no", 18, {"errmsg": "Authentication failed."}),
            (
                "MongoDB refuses (Authentication failed): check COURIER_MONGODB_URL and the rights "
                "of its user."
            ),
        ),
        (
            InvalidURI("in mongodb://user:hunter2@db/x"),
            "COURIER_MONGODB_URL cannot be used: in mongodb://***@db/x.",
        ),
        (
            InvalidEvent(Reason.MALFORMED, "size: wrong"),
            "The event would not be accepted: malformed: size: wrong.",
        ),
        (
            LoginRefused("530 Login incorrect."),
            (
                "530 Login incorrect: check username, password and logon type, and that the user "
                "is not locked."
            ),
        ),
        (
            NoTlsAnswers("502 No."),
            (
                "502 No: FTPS is not spoken here: choose FTP, or have TLS switched on at the "
                "server. No password was sent."
            ),
        ),
        (
            wrong_settings(),
            (
                "--host must be a host name or an IP address, without protocol, port or path; "
                "--port must be a whole number from 1 to 65535; --username is required."
            ),
        ),
        (
            FileNotFoundError(2, "No such file or directory", "call.wav"),
            "call.wav: No such file or directory: check it and try again.",
        ),
    ],
)
def test_each_error_is_told_in_a_sentence_with_what_to_do(error: Exception, told: str) -> None:
    assert sentence(error) == told


def test_a_message_without_a_queue_is_told_with_the_service_that_declares_it() -> None:
    assert "'courier run'" in sentence(NotRouted("recordings: recording.ready"))


def test_a_fault_of_the_program_is_one_sentence_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(KeyError("hunter2")) == 1
    err = capsys.readouterr().err
    assert err.startswith("This is a fault of the program (KeyError)")
    assert "hunter2" not in err
    assert err.count("\n") == 1


def test_a_sentence_cannot_speak_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    explain(Refused("the server said \x1b[2J\r"))
    assert capsys.readouterr().err == "the server said \\x1b[2J\\r\n"


def test_each_unusable_setting_has_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(SettingsError(["One.", "Two."])) == 1
    assert capsys.readouterr().err == "One.\nTwo.\n"


def test_options_that_cannot_be_are_wrong_usage() -> None:
    assert explain(wrong_settings()) == 2


def test_wrong_usage_and_exits_are_left_to_typer() -> None:
    for error in (typer.BadParameter("no"), typer.Exit(0), typer.Abort()):
        with pytest.raises(type(error)):
            explain(error)


def test_a_value_without_end_is_told_by_its_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    assert explain(UnknownAccount("x" * 5000)) == 1
    told = capsys.readouterr().err
    assert told.startswith("There is no account 'xxx")
    assert told.endswith("x…': 'courier accounts list' shows those there are.\n")
    assert len(told) < 200
    url = f"https://store.example/{'a' * 150}.wav"
    assert explain(Refused(f"{url} is not there.")) == 1
    assert url in capsys.readouterr().err
    wrong = typer.BadParameter(f"{'y' * 5000!r} is none of a, b.")
    with pytest.raises(typer.BadParameter):
        explain(wrong)
    assert wrong.message.endswith("y…' is none of a, b.")


def test_a_value_that_is_no_text_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnicodeEncodeError) as raised:
        "\udcff".encode()
    assert explain(raised.value) == 2
    assert capsys.readouterr().err == "A value is no text in UTF-8: type it anew.\n"
