"""Starting with services that do not take us: a sentence each, no traceback and no secret."""

import json
import tempfile
from urllib.parse import urlsplit

import pytest

from tests.acceptance.program import Answer, Program

SECRET = "s3cr3t"


def told(answer: Answer, name: str) -> str:
    """What check says of this service."""
    assert answer.code == 1
    assert SECRET not in answer.out + answer.err
    assert "Traceback" not in answer.out + answer.err
    (found,) = (each for each in json.loads(answer.out) if each["name"] == name)
    assert not found["ok"]
    assert found["advice"]
    return str(found["detail"])


def changed(url: str, **parts: str) -> str:
    return urlsplit(url)._replace(**parts).geturl()


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("login", "Login was refused"),
        ("vhost", "vhost nowhere not found"),
        ("tls", "TLS failed: "),
    ],
)
def test_a_broker_that_takes_us_not_is_told(courier: Program, case: str, expected: str) -> None:
    good = courier.settings["AMQP_URL"]
    place = urlsplit(good).netloc.rpartition("@")[2]
    url = {
        "login": changed(good, netloc=f"guest:{SECRET}@{place}"),
        "vhost": changed(good, path="/nowhere"),
        "tls": changed(good, scheme="amqps"),
    }[case]
    assert expected in told(courier("check", "--json", AMQP_URL=url), "RabbitMQ")
    sentence = courier("invalid", "list", AMQP_URL=url).sentence
    assert sentence.startswith("RabbitMQ cannot be used (")
    assert SECRET not in sentence


def test_a_database_that_takes_us_not_is_told(courier: Program) -> None:
    good = courier.settings["MONGODB_URL"]
    url = changed(good, netloc=f"nobody:{SECRET}@{urlsplit(good).netloc}")
    assert "Authentication failed" in told(courier("check", "--json", MONGODB_URL=url), "MongoDB")
    answer = courier("run", MONGODB_URL=url, METRICS_BIND="127.0.0.1:0")
    assert answer.code == 1
    assert answer.err.splitlines()[-1] == (
        "MongoDB refuses (Authentication failed): check COURIER_MONGODB_URL and the rights of its "
        "user."
    )
    assert SECRET not in answer.err
    assert "Traceback" not in answer.err


def test_a_file_of_tls_that_cannot_be_used_stops_the_start(courier: Program) -> None:
    for command in ("run", "check", "status"):
        sentence = courier.refuses(command, TLS_CA_FILE="/nowhere/ca.pem")
        assert sentence == (
            "COURIER_TLS_CA_FILE is not valid: '/nowhere/ca.pem' cannot be read: "
            "No such file or directory."
        )


def test_a_password_for_mail_without_tls_stops_the_start(courier: Program) -> None:
    sentence = courier.refuses("run", SMTP_URL=f"smtp://u:{SECRET}@mail.example")
    assert sentence.startswith("COURIER_SMTP_URL is not valid: must not send a password without")
    assert SECRET not in sentence


def test_no_place_for_the_counts_of_processes_is_told(
    courier: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")  # as where all folders are read-only
    sentence = courier.refuses("run", "--processes", "2")
    assert sentence.startswith("No folder can be made for the counts of the processes (")
    assert sentence.endswith("): let /tmp be written to, or set TMPDIR to a folder that can.")
