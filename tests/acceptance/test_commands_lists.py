"""Tables on a terminal of 80 columns and off it, and the filters of the lists."""

import re
from datetime import UTC, datetime

import pytest

from alerts.facts import to_document
from consumers.ledger import LastError
from deploy.local.customers import PyFtpServer
from tests.acceptance.program import Program
from tests.acceptance.stage import Stage
from tests.acceptance.terminal import shown
from tests.integration.ledger.rows import claimed, deliver_one, opened, uploaded
from tests.unit.alerts.facts import EXAMPLE
from transports.diagnosis import ours, reaching

WORDS = "425 Can't build data connection: the connection to 192.0.2.7 was refused"
LONG = "an-account-with-a-name-as-long-as-a-name-may-be-0123456789-01234"


def test_the_tables_of_long_values_fit_80_columns_and_are_whole_off_a_terminal(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer, LONG)
    stage.core.directory.create("sub", parent=LONG, name="Sub account of Acme Limited, London")
    stage.dead("8f6c2f0e-3f60-4b7a-9d8e-000000000001", LONG)
    for command in (("accounts", "list"), ("deliveries", "list"), ("dead-letters", "list")):
        lines = shown(courier, *command)
        assert max(map(len, lines)) <= 80, lines
        assert "…" in "".join(lines)
        piped = courier.ok(*command).out
        assert LONG in piped
        assert "…" not in piped
    listed = shown(courier, "deliveries", "list")
    assert "8f6c2f0e-3f60-4b7a-9d8e-000000000001" in "".join(listed)


def test_of_a_long_error_the_servers_code_is_read(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    stage.dead("dead")
    told = "553 5.7.1 Permission denied by policy of this server: could not create file."
    row = {"$set": {"last_error.words": told}}
    stage.core.database["deliveries"].update_one({"_id": "dead"}, row)
    path = "/in/2026/11/a/folder/of/a/customer/who/likes/folders/20261130-140500.wav"
    deliver_one(stage.core.ledger, claimed(stage.core.ledger, "whole"), uploaded(path))
    first, second = shown(courier, "deliveries", "list")[1:]
    assert first.endswith("20261130-140500.wav")
    assert "…" in first
    assert " 553 5.7.1 " in second
    assert second.endswith("…")
    assert told in courier.inside("deliveries", "list").out


def test_the_list_of_accounts_has_what_their_last_errors_come_of(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer, LONG)
    assert "LAST ERROR" not in courier.inside("accounts", "list").out
    waiting = LastError.ours("No server may connect", ours.ACTIVE_MODE_OFF)
    accounts = stage.core.ledger.accounts
    assert accounts.fence(LONG, 1)
    accounts.reschedule(LONG, 1, 0, 10.0, waiting=waiting)
    stage.account(pyftpd_server.customer, "refused")
    stage.suspended("refused")
    cause = {"$set": {"run.last_error.cause": reaching.CONNECTION_REFUSED.code}}
    stage.core.database["accounts"].update_one({"_id": "refused"}, cause)
    lines = shown(courier, "accounts", "list")
    assert max(map(len, lines)) <= 80, lines
    assert lines[0].endswith("LAST ERROR")
    assert re.search(r" active +0 .* active-mode-not-allowed$", lines[1])
    assert re.search(r"^refused .* suspended .* connection-refused$", lines[2])
    assert "active-mode-not-allowed" in courier.inside("accounts", "list").out


def test_the_history_of_alerts_tells_when_to_whom_what_became_of_it_and_why_in_80_columns(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    address = "a.reader.with.a.long.name@operations.acme.example"
    alert = {
        "_id": "acme:3",
        "kind": "suspension",
        "facts": {**to_document(EXAMPLE), "account_id": "acme", "words": WORDS},
        "at": datetime(2026, 11, 30, 11, 5, 59, tzinfo=UTC),
        "to": [address, "it@acme.example"],
        "remaining": ["it@acme.example"],
        "refused": [{"address": address, "words": "550 5.1.1 no such user here"}],
        "state": "waiting",
    }
    stage.core.database["alerts"].insert_one(alert)
    history = ("accounts", "alerts", "history", "acme")
    lines = shown(courier, *history)
    assert max(map(len, lines)) <= 80, lines
    assert lines[0].split() == ["AT", "TO", "OUTCOME", "WHY"]
    whole = " ".join(" ".join(lines).split())
    assert whole.count("2026-11-30 11:05") == 2
    assert _beneath(lines, "WHY").count(WORDS) == 2
    assert "not sent: refused (550 5.1.1 no such user here)" in _beneath(lines, "OUTCOME")
    assert "waiting to be sent" in _beneath(lines, "OUTCOME")
    assert "it@acme" in _beneath(lines, "TO")
    piped = courier.ok(*history).out
    for part in (address, "2026-11-30 11:05:59Z", WORDS, "Suspension"):
        assert part in piped


def _beneath(lines: list[str], heading: str) -> str:
    """What stands in the column, in one line."""
    headings = re.finditer(r"\S+( +|$)", lines[0])
    place = next(each.span() for each in headings if each[0].strip() == heading)
    end = None if place[1] == len(lines[0]) else place[1]
    return " ".join(" ".join(line[place[0] : end] for line in lines[1:]).split())


@pytest.mark.usefixtures("stage")
def test_lists_of_thousands_show_the_first_and_say_that_there_are_more(courier: Program) -> None:
    for name in ("a", "b", "c"):
        courier.inside("accounts", "create", name)
        courier.inside("users", "create", f"{name}@acme.example", "--generate")
        courier.inside("tokens", "create", name)
    for number in ("+441632960001", "+441632960002", "+441632960003"):
        courier.inside("numbers", "set", number, "--account", "a", "--method", "ftp")
    for words, which, column in (
        (("accounts", "list"), "first", "account_id"),
        (("users", "list"), "first", "login"),
        (("tokens", "list"), "oldest", "name"),
        (("numbers", "list"), "first", "number"),
    ):
        told = f"These are the {which} 2; --limit 0 lists all.\n"
        cut = courier.inside(*words, "--limit", "2")
        assert (len(cut.out.splitlines()), cut.err) == (3, told)
        as_json = courier.inside(*words, "--limit", "2", "--json")
        assert as_json.err == told, "what a program reads is not cut without a word"
        whole = courier.inside(*words, "--limit", "0", "--json")
        assert as_json.json == whole.json[:2]
        assert [each[column] for each in whole.json] == sorted(each[column] for each in whole.json)
        for limit in ("3", "500"):
            enough = courier.inside(*words, "--limit", limit, "--json")
            assert (enough.json, enough.err) == (whole.json, "")


def test_accounts_are_listed_by_state_place_and_text(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.core.directory.create("reseller", ftp_access=True)
    stage.core.directory.create("middle", parent="reseller", name="Zoë & Sons")
    stage.core.directory.create("deep", parent="middle")
    stage.account(pyftpd_server.customer)
    stage.suspended()

    def ids(*options: str) -> list[str]:
        listed = courier.inside("accounts", "list", "--json", *options).json
        return [each["account_id"] for each in listed]

    assert ids() == ["acme", "deep", "middle", "reseller"]
    assert ids("--state", "suspended") == ["acme"]
    assert ids("--state", "Disabled", "--state", "suspended") == ids()
    assert ids("--parent", "reseller") == ["deep", "middle"]
    assert ids("--search", "ZOË") == ["middle"]
    assert ids("--search", str(pyftpd_server.customer.port)) == ["acme"]
    assert ids("--state", "dormant") == []
    since = {"$set": {"run.dormant_since": datetime(2026, 11, 20, tzinfo=UTC)}}
    stage.core.database["accounts"].update_one({"_id": "acme"}, since)
    assert ids("--state", "dormant") == ids("--state", "suspended") == ["acme"]
    assert " dormant " in courier.inside("accounts", "list").out
    assert ids("--state", "paused") == []
    none = courier.inside("accounts", "list", "--state", "paused")
    assert (none.code, none.err) == (0, "No accounts match.\n")
    assert "'nobody'" in courier.refuses("accounts", "list", "--parent", "nobody")
    wrong = courier.inside("accounts", "list", "--state", "suspendet")
    assert wrong.code == 2
    assert "'suspended'" in wrong.err


@pytest.mark.parametrize("word", ["dead letter", "dead-letter", "Dead-Letter", "dead_lettered"])
def test_a_status_may_be_given_as_the_table_prints_it(
    courier: Program, stage: Stage, word: str
) -> None:
    stage.core.directory.create("acme")
    stage.queued("a1")
    stage.dead("a2")
    listed = courier.inside("deliveries", "list", "--status", word, "--json").json
    assert [each["recording_id"] for each in listed] == ["a2"]


def test_what_was_left_to_email_is_found_by_its_words(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    opened(stage.core.ledger, "mailed", skipped=True)
    stage.queued("a1")
    listed = courier.inside("deliveries", "list", "--status", "left to e-mail", "--json").json
    assert [(each["recording_id"], each["status"]) for each in listed] == [("mailed", "skipped")]


@pytest.mark.parametrize("command", ["list", "export"])
def test_skipped_is_the_customers_word_for_a_dead_letter(courier: Program, command: str) -> None:
    answer = courier.inside("deliveries", command, "--status", "Skipped")
    assert answer.code == 2
    told = " ".join(answer.err.replace("│", " ").split())
    assert (
        "'--status': customers read 'skipped' for a dead letter. Did you mean 'dead-letter' or "
        "'left-to-e-mail'?"
    ) in told


def test_an_unknown_reason_is_an_error_that_names_those_there_are(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    for group, known in (("dead-letters", "crash-loop"), ("invalid", "unknown-account")):
        answer = courier.inside(group, "list", "--reason", "nonsense")
        assert answer.code == 2
        assert known in " ".join(answer.err.split())
    assert courier.inside("invalid", "list", "--reason", "unknown").code == 0
