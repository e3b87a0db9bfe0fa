"""`courier check` and `courier status`."""

import json
import os
import signal
import time

import pytest
from cryptography.fernet import Fernet

from deploy.local.customers import PyFtpServer
from tests.acceptance.program import LIMIT, Program, ended
from tests.acceptance.stage import NOWHERE, Stage


def test_check_passes_where_all_is_there(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    shown = courier.ok("check").out
    assert shown.count("✓") == 6
    assert "✗" not in shown


def test_check_warns_of_what_is_open_to_more_than_may_be_meant(courier: Program) -> None:
    found = {each["name"]: each for each in courier.ok("check", "--json").json}
    assert found["sources"]["warning"]
    assert "COURIER_SOURCE_DIRS" in found["sources"]["advice"]
    assert "10.0.0.0/8" in found["networks"]["detail"]
    assert ("user" in found) is (os.geteuid() == 0)
    closed = courier.ok("check", SOURCE_DIRS=str(courier.folder), EGRESS_ALLOW="203.0.113.0/24").out
    assert "COURIER_" not in closed


def test_check_names_what_is_not_usable_and_what_to_do(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    other_key = Fernet.generate_key().decode()
    answer = courier("check", "--json", SMTP_URL=f"smtp://{NOWHERE}", SECRET_KEYS=other_key)
    assert answer.sentence == "SMTP and keys are not usable: follow the advice given above."
    found = {each["name"]: each for each in answer.json}
    assert [found[name]["ok"] for name in ("RabbitMQ", "MongoDB", "SMTP", "keys")] == [
        *(True, True),
        *(False, False),
    ]
    assert found["SMTP"]["detail"] == f"{NOWHERE}: Connection refused"
    assert "acme" in found["keys"]["detail"]
    assert "COURIER_SECRET_KEYS" in found["keys"]["advice"]


@pytest.mark.parametrize(("skew", "told"), [(300.0, "ahead of"), (-300.0, "behind")])
def test_check_tells_of_a_clock_that_is_minutes_off(
    courier: Program, monkeypatch: pytest.MonkeyPatch, skew: float, told: str
) -> None:
    true_time = time.time
    monkeypatch.setattr(time, "time", lambda: true_time() + skew)
    answer = courier.inside("check", "--json")
    assert answer.sentence == "clock is not usable: follow the advice given above."
    (clock,) = (each for each in answer.json if each["name"] == "clock")
    assert clock["detail"] == f"this machine's is 5 minutes {told} MongoDB's"
    assert "NTP" in clock["advice"]


def test_check_tells_in_words_that_the_broker_refuses(courier: Program) -> None:
    url = courier.settings["AMQP_URL"].replace("guest:guest@", "guest:wrong@")
    answer = courier("check", "--json", AMQP_URL=url)
    assert answer.sentence == "RabbitMQ is not usable: follow the advice given above."
    (refused,) = (each["detail"] for each in answer.json if each["name"] == "RabbitMQ")
    place = url.partition("@")[2].partition("/")[0]
    words = "Login was refused using authentication mechanism PLAIN."
    assert refused.startswith(f"{place}: {words}")


def test_status_counts_accounts_files_and_workers(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.core.directory.create("idle")
    stage.account(pyftpd_server.customer)
    stage.queued("waits")
    stage.dead("died")
    answer = courier.ok("status", "--json")
    assert answer.err == ""
    told = answer.json
    assert told.pop("oldest_queued_seconds") > 0
    states = {"active": 1, "suspended": 0, "probing": 0, "paused": 0, "disabled": 1}
    assert told == {
        "accounts": states,
        "queued": 1,
        "dead_letters": 1,
        "workers": 0,
        "worker_processes": [],
    }


def test_status_is_watched_until_ctrl_c(courier: Program) -> None:
    process = courier.start("status", "--watch", "--json")
    with ended(process):
        assert process.stdout is not None
        first, second = process.stdout.readline(), process.stdout.readline()
        assert json.loads(first) == json.loads(second)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, err) == (0, "")


def test_status_is_watched_through_a_pipe_too(courier: Program) -> None:
    process = courier.start("status", "--watch")
    with ended(process):
        assert process.stdout is not None
        first = process.stdout.readline()
        assert first.startswith("accounts active")
        while process.stdout.readline() != first:
            pass  # the same page again
