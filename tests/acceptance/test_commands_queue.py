"""`courier queue` and `courier top`: what waits, what goes on, and who is to blame."""

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from consumers.ledger import LastError
from deploy.local.customers import PyFtpServer
from tests.acceptance.program import Program
from tests.acceptance.stage import Stage
from tests.acceptance.terminal import on_terminal, shown
from tests.integration.platform import until
from transports.diagnosis.ours import STORE_AWAY
from transports.errors import SourceAway

NEARLY_6_HOURS = r"next try in (6 h 0|5 h 5\d) min"

WAITS_LONG = "its oldest file waits for [6789] min"


def waiting(stage: Stage, account_id: str, minutes: int, files: int) -> None:
    """So many files that have waited so long."""
    for number in range(files):
        name = f"{account_id}-{minutes}-{number}"
        stage.queued(name, account_id)
        arrived = datetime.now(UTC) - timedelta(minutes=minutes)
        stage.core.database["deliveries"].update_one(
            {"_id": name}, {"$set": {"created_at": arrived}}
        )


def test_a_stranger_finds_the_culprit_in_two_commands(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    for account_id in ("brown", "culprit", "green", "white"):
        stage.account(pyftpd_server.customer, account_id)
    waiting(stage, "brown", 1, 9)
    waiting(stage, "green", 2, 3)
    waiting(stage, "white", 7, 1)
    waiting(stage, "culprit", 30, 2)
    waiting(stage, "culprit", 1, 1)
    stage.suspended("culprit")

    lines = shown(courier, "queue")
    assert max(map(len, lines)) <= 80
    heading, first = lines[0].split(), lines[1].split()
    assert heading == [
        *("ACCOUNT", "FILES", "5m", "10m", "20m", "40m", "80m", "160m", "older", "STATE")
    ]
    assert first == ["culprit", "3", "1", "0", "0", "2", "0", "0", "0", "suspended"]
    assert [line.split()[0] for line in lines[2:6]] == ["white", "brown", "green", "TOTAL"]
    assert lines[5].split()[1] == "16"
    told = " ".join(" ".join(lines[6:]).split())
    assert "culprit is suspended: next try in 1" in told
    assert "(530 Login incorrect.)" in told
    assert "'courier accounts show culprit' tells more." in told
    assert re.search(r"white is behind: its oldest file waits for [789] min\.", told)
    assert "suspended: 10 failures in a row; after 15 min one file is tried." in told
    assert "flowing: its oldest file waits for less than 5 min." in told
    assert "530 Login incorrect." in courier.inside("accounts", "show", "culprit").out


def test_a_store_of_recordings_that_is_away_is_named_as_what_keeps_them(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    for minutes in (7, 6):  # of one column
        waiting(stage, "acme", minutes, 1)
    away = asdict(LastError.of(SourceAway("Connection refused")))
    rows = stage.core.database["deliveries"]
    rows.update_one({"_id": "acme-7-0"}, {"$set": {"last_error": away}})
    [row] = courier.inside("queue", "--json").json
    kept = "kept by the platform's store of recordings, no try is counted: Connection refused"
    assert row["state"] == "behind"
    assert re.fullmatch(f"{WAITS_LONG}; {re.escape(kept)}", row["why"])
    told = " ".join(courier.inside("queue").err.split())
    assert f"{kept}. {STORE_AWAY.next_step}" in told
    account = " ".join(courier.inside("accounts", "show", "acme").out.split())
    assert f" min ago it is {kept} advice {STORE_AWAY.next_step}" in account
    rows.update_one({"_id": "acme-7-0"}, {"$set": {"last_error": None}})
    rows.update_one({"_id": "acme-6-0"}, {"$set": {"last_error": away}})
    [row] = courier.inside("queue", "--json").json
    assert re.fullmatch(WAITS_LONG, row["why"]), "not for what a younger one waits for"
    assert "store of recordings" not in courier.inside("accounts", "show", "acme").out


def test_an_account_that_its_own_limit_keeps_is_told_so(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    accounts, rows = stage.core.database["accounts"], stage.core.database["deliveries"]
    waiting(stage, "acme", 6, 2)
    rows.update_many({}, {"$set": {"size": 3_000_000}})
    assert courier.inside("queue", "--json").json[0]["state"] == "behind"

    accounts.update_one({"_id": "acme"}, {"$set": {"settings.bandwidth": 10}})
    [row] = courier.inside("queue", "--json").json
    limit = f"{WAITS_LONG}; its own limit is 10 kilobytes a second"
    assert row["state"] == "limited"
    assert re.fullmatch(f"{limit}, at which what waits takes 10 min", row["why"])
    told = " ".join(" ".join(shown(courier, "queue")).split())
    assert re.search(f"acme is limited: {limit}", told)
    assert (
        "limited: its oldest file waits for 5 min or longer, as its own bandwidth limit may explain"
    ) in told
    rows.update_one({"_id": "acme-6-0"}, {"$set": {"size": None}})
    assert courier.inside("queue", "--json").json[0]["why"].endswith("takes 5 min or longer")
    rows.update_many({}, {"$set": {"size": None}})
    [row] = courier.inside("queue", "--json").json
    assert row["state"] == "limited"
    assert re.fullmatch(limit, row["why"])


def test_a_limit_that_does_not_explain_the_wait_is_told_of_an_account_that_is_behind(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    waiting(stage, "acme", 360, 3)
    rows = stage.core.database["deliveries"]
    rows.update_many({}, {"$set": {"size": 3_000_000}})
    limited = {"$set": {"settings.bandwidth": 1000}}
    stage.core.database["accounts"].update_one({"_id": "acme"}, limited)

    [row] = courier.inside("queue", "--json").json
    assert row["state"] == "behind"
    assert row["why"].endswith(
        "; its own limit is 1000 kilobytes a second, at which what waits takes 9 s"
    )
    rows.update_one({"_id": "acme-360-0"}, {"$set": {"size": 6_000_000_000}})
    assert courier.inside("queue", "--json").json[0]["state"] == "limited", "1 h 40 min of 6 h"
    rows.update_many({}, {"$set": {"size": None}})
    assert courier.inside("queue", "--json").json[0]["state"] == "limited", "of any size"


def test_a_dormant_account_is_told_with_its_next_try(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    waiting(stage, "acme", 30, 2)
    stage.suspended(seconds=21_600, dormant=True)
    lines = shown(courier, "queue")
    assert lines[1].endswith("dormant")
    told = " ".join(" ".join(lines).split())
    assert re.search(rf"acme is dormant: {NEARLY_6_HOURS} \(530 Login incorrect\.\)\.", told)
    assert "dormant: suspended for long; one file is tried every 6 h" in told
    assert "after 15 min" not in told
    [row] = courier.inside("queue", "--by", "host", "--json").json
    assert row["state"] == "dormant"
    traced = courier.inside("trace", "acme", "--seconds", "0").err
    assert re.search(f"2 files wait; it is dormant, {NEARLY_6_HOURS}", traced)
    assert "'courier accounts try-now acme' begins it at once." in traced


def test_a_closed_window_is_told_in_words_for_a_server_too(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    waiting(stage, "acme", 1, 1)
    day = (datetime.now(UTC) + timedelta(days=3)).strftime("%a").lower()
    window = {"settings.delivery_window": f"{day} 01:00-02:00", "settings.time_zone": "UTC"}
    stage.core.database["accounts"].update_one({"_id": "acme"}, {"$set": window})
    for by in ("account", "host"):
        told = courier.inside("queue", "--by", by).err
        assert "acme is waiting: its delivery window opens on " in told
        assert "is window" not in told


def test_the_shape_is_told_by_server_and_as_json(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    server = pyftpd_server.customer
    for account_id in ("brown", "green"):
        stage.account(server, account_id)
        waiting(stage, account_id, 12, 2)
    stage.core.directory.create("nowhere")
    waiting(stage, "nowhere", 1, 1)
    stage.suspended("green")

    lines = shown(courier, "queue", "--by", "host")
    assert lines[1].split()[:4] == [f"{server.host}:{server.port}", "2", "4", "0"]
    assert lines[1].endswith("suspended")
    found = courier.inside("queue", "--by", "host", "--json").json
    assert [each["server"] for each in found] == [
        *(f"{server.host}:{server.port}", "(no settings)")
    ]
    assert (found[0]["example"], found[0]["state"]) == ("green", "suspended")
    by_account = courier.inside("queue", "--json").json
    assert {each["account_id"]: each["files"] for each in by_account} == {
        "brown": 2,
        "green": 2,
        "nowhere": 1,
    }
    assert by_account[0]["ages"]["20m"] == 2
    assert 700 < by_account[0]["oldest_seconds"] < 900
    assert len(courier.inside("queue", "--limit", "1", "--json").json) == 1


def test_where_nothing_waits_it_says_so(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    answer = courier.ok("queue")
    assert (answer.out, answer.err) == ("", "No files wait.\n")
    assert courier.inside("queue", "--json").json == []
    assert courier.inside("queue", "--by", "colour").code == 2


def test_files_of_an_account_that_is_gone_are_shown_with_what_becomes_of_them(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    waiting(stage, "acme", 1, 1)
    stage.core.directory.remove("acme")
    [row] = courier.inside("queue", "--json").json
    assert (row["account_id"], row["state"]) == ("acme", "removed")


def test_top_tells_rates_slots_and_the_busiest_and_oldest_accounts(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    stage.account(pyftpd_server.customer, "paused")
    stage.core.ledger.accounts.pause("paused")
    waiting(stage, "paused", 90, 2)
    (courier.folder / "call.wav").write_bytes(b"x" * 1000)
    with courier.running(UPLOAD_SLOTS="7"):
        courier.ok("publish", "call.wav", "--account", "acme", "--wait", "--timeout", "100")
        until(lambda: courier.inside("top", "--json").json["slots"] == 7, "the slots")
        told = courier.inside("top", "--json").json
        assert told["delivered_a_minute"] == 1
        assert told["bytes_a_minute"] == 1000
        assert [each["account_id"] for each in told["busiest"]] == ["acme"]
        assert [each["account_id"] for each in told["oldest"]] == ["paused"]
        assert told["queued"] == 2
        with on_terminal(courier, "top") as terminal:
            terminal.until("OLDEST")
            terminal.until("1 h 30 min")
            terminal.interrupt()
            assert terminal.end() == 0
        assert "of 7 slots" in terminal.text
    piped = courier.ok("top").out
    assert "none: 'courier run' starts one" in piped
