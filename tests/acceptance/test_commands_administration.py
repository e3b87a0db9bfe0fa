"""Accounts renamed and moved, settings forgotten, and how numbers are stored."""

from deploy.local.customers import PyFtpServer
from tests.acceptance.program import Program
from tests.acceptance.stage import Stage
from tests.acceptance.terminal import on_terminal


def test_an_account_is_renamed_and_moved(courier: Program, stage: Stage) -> None:
    for account_id in ("acme", "reseller"):
        stage.core.directory.create(account_id, ftp_access=account_id == "reseller")
    assert courier.ok("accounts", "rename", "acme", "Acme Ltd").out == (
        "acme is called 'Acme Ltd' now.\n"
    )
    moved = courier.ok("accounts", "move", "acme", "--parent", "reseller")
    assert moved.out == "acme is beneath reseller now.\n"
    assert "acme has no FTP access there" in moved.err
    shown = courier.inside("accounts", "show", "acme", "--json").json
    assert (shown["name"], shown["parent"]) == ("Acme Ltd", "reseller")
    assert "beneath it:" in courier.refuses("accounts", "move", "reseller", "--parent", "acme")
    assert courier.inside("accounts", "move", "acme", "--top").out == "acme is at the top now.\n"
    assert courier.inside("accounts", "move", "acme").code == 2
    assert courier.inside("accounts", "move", "acme", "--top", "--parent", "reseller").code == 2
    assert courier.refuses("accounts", "rename", "acme", "x" * 1000)
    assert "'nobody'" in courier.refuses("accounts", "rename", "nobody", "Nobody")
    assert "'nobody'" in courier.refuses("accounts", "move", "acme", "--parent", "nobody")


def test_settings_are_forgotten_once_that_is_confirmed(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    stage.queued("r1")
    with on_terminal(courier, "accounts", "forget-settings", "acme") as terminal:
        terminal.until("Forget the FTP settings of acme with its password and keys?")
        terminal.type("n")
        assert terminal.end() == 1
    assert courier.inside("accounts", "show", "acme", "--json").json["settings"] is not None
    told = courier.ok("accounts", "forget-settings", "acme").out
    assert told == "The FTP settings of acme are forgotten; its files stay queued.\n"
    shown = courier.inside("accounts", "show", "acme", "--json").json
    assert (shown["settings"], shown["queued"]) == (None, 1)
    assert "has no FTP settings to remove" in courier.refuses("accounts", "forget-settings", "acme")


def test_numbers_are_stored_in_e164_and_short_codes_where_they_are_meant(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    given = ["--account", "acme", "--method", "ftp"]
    told = courier.inside("numbers", "set", "+44 (0)1632 960001", *given).out
    assert told == "Recordings of +441632960001 go to acme by ftp.\n"
    refused = courier.refuses("numbers", "set", "84433", *given)
    assert refused.startswith("84433 has no country code:")
    assert courier.inside("numbers", "set", "84433", *given, "--allow-short").code == 0
    assert "too short" in courier.refuses("numbers", "set", "+44163", *given)

    stage.core.database["numbers"].insert_one(
        {"_id": "01632960002", "account_id": "acme", "method": "email"}  # of an earlier version
    )
    again = courier.inside("numbers", "set", "+441632960002", *given, NUMBER_COUNTRY="GB")
    assert again.out == "Recordings of 01632960002 go to acme by ftp.\n"
    national = courier.inside("numbers", "set", "01632 960003", *given, NUMBER_COUNTRY="GB")
    assert national.out == "Recordings of +441632960003 go to acme by ftp.\n"
    listed = courier.inside("numbers", "list", "--json").json
    assert [each["number"] for each in listed] == [
        *("+441632960001", "+441632960003", "01632960002", "84433"),
    ]
    assert "GB" in courier("numbers", "list", NUMBER_COUNTRY="XX").err


def test_a_short_code_that_an_earlier_version_stored_behind_the_country_is_stored_as_dialled(
    courier: Program, stage: Stage
) -> None:
    for account_id in ("acme", "other"):
        stage.core.directory.create(account_id)
    numbers = stage.core.database["numbers"]
    numbers.insert_one({"_id": "+4484433", "account_id": "acme", "method": "ftp"})
    given = ["--account", "other", "--method", "email"]

    as_stored = courier.inside("numbers", "set", "+44 84433", *given, NUMBER_COUNTRY="GB")
    assert as_stored.out == "Recordings of +4484433 go to other by email.\n"
    abroad = [*("numbers", "set", "0044 84433"), *given, "--allow-short"]
    from_abroad = courier.inside(*abroad, NUMBER_COUNTRY="GB")
    assert from_abroad.out == as_stored.out, "84433 would not find it as 004484433"
    dialled = [*("numbers", "set", "84433"), *given, "--allow-short"]
    meant = courier.inside(*dialled, NUMBER_COUNTRY="GB")
    assert meant.out == "Recordings of 84433 go to other by email.\n"
    assert meant.err == "It takes the place of +4484433, as an earlier version had stored it.\n"
    assert [each["number"] for each in courier.inside("numbers", "list", "--json").json] == [
        "84433"
    ]
    assert courier.inside(*dialled, NUMBER_COUNTRY="GB").err == ""
    assert courier.inside("numbers", "remove", "+4484433", NUMBER_COUNTRY="GB").code == 0
