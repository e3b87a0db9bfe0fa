"""`courier accounts` and `courier numbers`, with customers' real servers."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.acceptance.program import LIMIT, Program
from tests.acceptance.stage import ERROR, Stage, options_of, queue_lengths

# --- accounts ---------------------------------------------------------------------------------


def test_an_account_is_created_listed_and_shown(courier: Program) -> None:
    courier.ok("accounts", "create", "top", "--name", "Top Ltd", "--ftp-access")
    assert courier.inside("accounts", "create", "sub", "--parent", "top").code == 0
    assert "exists already" in courier.refuses("accounts", "create", "top")
    assert "'nobody'" in courier.refuses("accounts", "create", "x", "--parent", "nobody")
    assert "not an account id" in courier.refuses("accounts", "create", "x/y")
    listed = courier.ok("accounts", "list", "--json").json
    assert [each["account_id"] for each in listed] == ["sub", "top"]
    assert courier.ok("accounts", "show", "top", "--json").json == {
        "account_id": "top",
        "name": "Top Ltd",
        "parent": None,
        "ftp_access": True,
        "ftp_permitted": True,
        "enabled": False,
        "default_method": "ftp",
        "settings": None,
        "connects_from": [],
        "key": None,
        "pending_key": None,
        "state": "disabled",
        "disabled_by": ["no-settings"],
        "paused": False,
        "dormant_since": None,
        "consecutive_failures": 0,
        "suspended_until": None,
        "window_opens_at": None,
        "last_error": None,
        "last_error_advice": None,
        "last_error_by": None,
        "last_error_cause": None,
        "last_error_whose": None,
        "queued": 0,
        "oldest_queued_seconds": 0.0,
        "dead_letters": 0,
    }
    assert "'nobody'" in courier.refuses("accounts", "show", "nobody")


def test_settings_are_saved_once_a_file_could_be_uploaded_and_pin_the_host_key(
    courier: Program, stage: Stage, asyncssh_server: AsyncSshServer
) -> None:
    server = asyncssh_server.customer
    stage.core.directory.create("acme", ftp_access=True)
    given = [*options_of(server), "--path", "in/calls", "--email-alerts", "a@x.example,b@y.example"]
    answer = courier.ok("accounts", "set", "acme", *given, stdin=f"{server.password}\n")
    assert "✓ resolved 127.0.0.1" in answer.out
    assert f"The host key {server.host_key} is pinned" in answer.out
    assert server.password not in answer.out + answer.err

    kept = courier.ok("accounts", "set", "acme", "--email-alerts", "", "--json")
    assert all(step["ok"] for step in kept.json)
    shown = courier.ok("accounts", "show", "acme", "--json").json
    assert (shown["state"], shown["enabled"]) == ("active", True)
    expected = {
        "protocol": "sftp",
        "logon_type": "normal",
        "host": server.host,
        "port": server.port,
        "username": server.username,
        "path": "in/calls",
        "email_alerts": [],
        "host_key": server.host_key,
    }
    assert expected.items() <= shown["settings"].items()
    assert "password" not in shown["settings"]
    assert stage.core.directory.password("acme").get_secret_value() == server.password
    assert list((server.root / "in/calls").iterdir()) == []


def test_uploads_existing_files_and_alerts_are_set_and_shown(
    courier: Program, stage: Stage, asyncssh_server: AsyncSshServer
) -> None:
    stage.account(asyncssh_server.customer)
    changed = ["--uploads", "3", "--existing-file", "overwrite", "--alert-frequency", "outage"]
    switches = ["--recovery-email", "--replace-characters"]
    assert courier.inside("accounts", "set", "acme", *changed, *switches).code == 0
    page = courier.inside("accounts", "show", "acme").out
    for line in ("Overwrite it", "Once an outage, and then daily", "recovery e-mail"):
        assert line in page
    newer = ("uploads", "existing_file", "alert_frequency", "recovery_email", "replace_characters")
    shown = courier.inside("accounts", "show", "acme", "--json").json["settings"]
    assert [shown[name] for name in newer] == [3, "overwrite", "outage", True, True]

    back = ["--uploads", "0", "--no-recovery-email"]
    assert courier.inside("accounts", "set", "acme", *back).code == 0
    shown = courier.inside("accounts", "show", "acme", "--json").json["settings"]
    assert [shown[name] for name in newer] == [None, "overwrite", "outage", False, True]
    assert courier.misused("accounts", "set", "acme", "--uploads", "9") == (
        "--uploads must be a whole number from 1 to 8."
    )
    assert courier.inside("accounts", "set", "acme", "--existing-file", "keep").code == 2


def test_bandwidth_and_delivery_window_are_set_shown_and_removed(
    courier: Program, stage: Stage, asyncssh_server: AsyncSshServer
) -> None:
    stage.account(asyncssh_server.customer)
    asked = ["--bandwidth", "500", "--delivery-window", "mon-fri 22:00 - 06:00; Sat-Sun"]
    assert courier.inside("accounts", "set", "acme", *asked).code == 0
    page = courier.inside("accounts", "show", "acme").out
    assert "500 kilobytes a second" in page
    assert "Mon-Fri 22:00-06:00; Sat-Sun (UTC)" in page
    shown = courier.inside("accounts", "show", "acme", "--json").json
    settings = shown["settings"]
    assert (settings["bandwidth"], settings["delivery_window"]) == (
        500,
        "Mon-Fri 22:00-06:00; Sat-Sun",
    )
    assert "window_opens_at" in shown
    assert courier.misused("accounts", "set", "acme", "--bandwidth", "9") == (
        "--bandwidth must be a whole number from 10 to 1000000."
    )
    assert courier.misused("accounts", "set", "acme", "--delivery-window", "25:00-26:00") == (
        "--delivery-window must have hours from 00:00 to 24:00."
    )
    back = ["--bandwidth", "0", "--delivery-window", ""]
    assert courier.inside("accounts", "set", "acme", *back).code == 0
    settings = courier.inside("accounts", "show", "acme", "--json").json["settings"]
    assert (settings["bandwidth"], settings["delivery_window"]) == (None, None)


def test_an_account_outside_of_its_window_says_so_and_is_tried_all_the_same(
    courier: Program, stage: Stage, asyncssh_server: AsyncSshServer
) -> None:
    stage.account(asyncssh_server.customer)
    now = datetime.now(UTC)
    first, last = (f"{now + timedelta(hours=each):%H:%M}" for each in (2, 4))
    window = ["--delivery-window", f"{first}-{last}"]
    assert courier.inside("accounts", "set", "acme", *window).code == 0
    assert "its delivery window, which opens on" in courier.inside("accounts", "show", "acme").out
    shown = courier.inside("accounts", "show", "acme", "--json").json
    assert shown["state"] == "active"
    assert shown["window_opens_at"][11:16] == first
    assert courier.inside("accounts", "try-now", "acme").code == 0


def test_nothing_is_saved_where_the_server_refuses(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    server = pyftpd_server.customer
    stage.core.directory.create("acme", ftp_access=True)
    answer = courier("accounts", "set", "acme", *options_of(server), stdin="wrong\n")
    assert answer.sentence.startswith("Nothing was saved: 530 Authentication failed")
    assert "✗" in answer.out
    stored = stage.core.directory.get("acme")
    assert (stored.settings, stored.enabled) == (None, False)


def test_a_path_without_the_right_to_write_is_refused(
    courier: Program, stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "read-only").mkdir()
    stage.core.directory.create("acme", ftp_access=True)
    with PyFtpServer(tmp_path / "read-only", permissions="elr") as server:
        given = options_of(server.customer)
        password = server.customer.password
        answer = courier("accounts", "set", "acme", *given, "--json", stdin=password)
    assert answer.sentence.startswith("Nothing was saved: 550 Not enough privileges")
    assert answer.json[-1]["ok"] is False
    assert stage.core.directory.get("acme").settings is None


def test_a_changed_host_key_is_refused_until_the_new_one_is_given(
    courier: Program, stage: Stage, asyncssh_server: AsyncSshServer
) -> None:
    stage.account(asyncssh_server.customer)
    old = asyncssh_server.customer.host_key
    asyncssh_server.stop()
    asyncssh_server.regenerate_host_key()
    asyncssh_server.start()
    new = asyncssh_server.customer.host_key
    assert old is not None
    assert new is not None
    for command in (["set", "acme", "--path", "x"], ["test", "acme"]):
        sentence = courier.refuses("accounts", *command)
        assert old in sentence
        assert new in sentence
    assert asyncssh_server.logins == 0
    courier.ok("accounts", "set", "acme", "--host-key", new)
    settings = stage.core.directory.get("acme").settings
    assert settings is not None
    assert (settings.host_key, settings.path) == (new, ".")
    courier.ok("accounts", "set", "acme", "--host-key", new, "--host-key", old)
    shown = courier.ok("accounts", "show", "acme", "--json").json["settings"]
    assert (shown["host_keys"], shown["host_key"]) == ([new, old], new)


def test_the_pin_of_one_server_is_not_kept_for_another(
    courier: Program, stage: Stage, asyncssh_server: AsyncSshServer, tmp_path: Path
) -> None:
    stage.account(asyncssh_server.customer)
    (tmp_path / "other").mkdir()
    first = asyncssh_server.customer
    with AsyncSshServer(tmp_path / "other", password=first.password) as other:
        moved = other.customer
        given = ["--port", moved.port, "--password-stdin"]
        answer = courier.ok("accounts", "set", "acme", *given, stdin=moved.password)
    assert f"The host key {moved.host_key} is pinned" in answer.out
    settings = stage.core.directory.get("acme").settings
    assert settings is not None
    assert settings.host_key == moved.host_key


def test_what_the_protocol_has_no_use_for_is_named_and_not_stored(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    server = pyftpd_server.customer
    stage.core.directory.create("acme", ftp_access=True)
    given = [*options_of(server), "--logon-type", "interactive", "--host-key", f"SHA256:{'A' * 43}"]
    answer = courier.ok("accounts", "set", "acme", *given, stdin=f"{server.password}\n")
    assert answer.err.replace("\n", " ").strip().endswith("uses it: Logon Type, Host Keys.")
    stored = courier.inside("accounts", "show", "acme", "--json").json["settings"]
    assert (stored["logon_type"], stored["host_keys"]) == ("normal", [])
    usual = ["--logon-type", "normal", "--no-weak-algorithms", "--email-alerts", "a@x.example"]
    assert courier.inside("accounts", "set", "acme", *usual).err == ""


def test_options_that_cannot_be_are_named(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    bad = ["--protocol", "sftp", "--host", "http://x/", "--port", "99999", "--username", "u"]
    assert courier.misused("accounts", "set", "acme", *bad, "--password-stdin", stdin="p\n") == (
        "--host must be a host name or an IP address, without protocol, port or path; "
        "--port must be a whole number from 1 to 65535."
    )
    few = ["--host", "h", "--password-stdin"]
    assert courier.misused("accounts", "set", "acme", *few, stdin="p\n") == (
        "--protocol is required; --username is required."
    )
    assert "--password-stdin" in courier.refuses("accounts", "set", "acme", "--host", "h")
    assert "no FTP settings" in courier.refuses("accounts", "test", "acme")
    assert "no FTP settings" in courier.refuses("accounts", "enable", "acme")


def test_without_a_key_no_password_is_taken_and_no_server_troubled(
    courier: Program, stage: Stage, asyncssh_server: AsyncSshServer
) -> None:
    stage.core.directory.create("acme", ftp_access=True)
    server = asyncssh_server.customer
    given = [*options_of(server), "--json"]
    sentence = courier.refuses(
        "accounts", "set", "acme", *given, stdin=server.password, SECRET_KEYS=None
    )
    assert "COURIER_SECRET_KEYS is not set" in sentence
    assert asyncssh_server.logins == 0


def test_settings_without_permission_are_stored_and_said_to_be_unused(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.core.directory.create("acme")
    server = pyftpd_server.customer
    given = options_of(server)
    answer = courier.ok("accounts", "set", "acme", *given, stdin=server.password)
    assert "FTP access is not granted" in answer.err
    assert "disabled" in courier.inside("accounts", "show", "acme").out


def test_an_account_is_switched_off_on_paused_and_resumed(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    def state() -> str:
        shown: str = courier.inside("accounts", "show", "acme", "--json").json["state"]
        return shown

    stage.account(pyftpd_server.customer)
    courier.ok("accounts", "disable", "acme")
    assert state() == "disabled"
    courier.ok("accounts", "enable", "acme")
    assert state() == "active"
    courier.ok("accounts", "suspend", "acme")
    assert state() == "paused"
    assert "not suspended but paused" in courier.refuses("accounts", "try-now", "acme")
    courier.ok("accounts", "resume", "acme")
    assert state() == "active"
    assert "not paused but active" in courier.refuses("accounts", "resume", "acme")
    assert "'nobody'" in courier.refuses("accounts", "suspend", "nobody")


def test_a_pause_is_told_beneath_what_the_account_is_disabled_by(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    courier.ok("accounts", "suspend", "acme")
    courier.ok("accounts", "disable", "acme")
    page = courier.inside("accounts", "show", "acme").out
    assert re.search(r"disabled because +switched off *\n", page)
    assert re.search(r"paused as well +'courier accounts resume acme' ends it *\n", page)
    assert "disabled, paused" in courier.inside("accounts", "list").out
    shown = courier.inside("accounts", "show", "acme", "--json").json
    assert (shown["state"], shown["disabled_by"], shown["paused"]) == (
        "disabled",
        ["switched-off"],
        True,
    )
    courier.ok("accounts", "resume", "acme")
    assert "paused" not in courier.inside("accounts", "show", "acme").out


def test_a_suspended_account_is_shown_and_tried_at_once_but_not_resumed(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    stage.queued("waits")
    stage.suspended()
    page = courier.ok("accounts", "show", "acme").out
    for told in ("suspended", "next try", "oldest queued", ERROR.words, ERROR.advice):
        assert told in page
    shown = courier.inside("accounts", "show", "acme", "--json").json
    assert shown["suspended_until"].endswith("Z")
    assert (shown["last_error"], shown["last_error_advice"]) == (ERROR.words, ERROR.advice)
    assert shown["queued"] == 1
    assert 0 < shown["oldest_queued_seconds"] < LIMIT
    assert shown["consecutive_failures"] == 10
    assert "not paused but suspended" in courier.refuses("accounts", "resume", "acme")
    courier.ok("accounts", "try-now", "acme")
    run = stage.core.ledger.accounts.read("acme")
    assert run.seconds_until(run.suspended_until) == 0
    assert run.failures == 10


def test_an_account_is_removed_only_with_nothing_queued_or_with_its_files_given_up(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    stage.core.directory.create("sub", parent="acme")
    stage.queued("waits")
    stage.dead("died")
    assert "sub account 'sub'" in courier.refuses("accounts", "remove", "acme")
    assert courier.inside("accounts", "remove", "sub").code == 0
    assert "1 file queued" in courier.refuses("accounts", "remove", "acme")
    removed = courier.ok("accounts", "remove", "acme", "--discard-files")
    assert removed.out == "The account acme was removed; 2 files of it discarded.\n"
    assert stage.core.directory.find("acme") is None
    assert [stage.status(each) for each in ("waits", "died")] == ["discarded", "discarded"]
    queues = ("deliveries.acme", "dead-letters.acme")
    assert queue_lengths(courier, *queues) == [None, None]
    assert "'acme'" in courier.refuses("accounts", "remove", "acme")


# --- numbers ----------------------------------------------------------------------------------


def test_numbers_are_set_listed_and_removed(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    number = "+441632960001"
    given = ["--account", "acme", "--method", "ftp-and-email"]
    courier.ok("numbers", "set", number, *given)
    assert courier.ok("numbers", "list", "--json").json == [
        {"number": number, "account_id": "acme", "method": "ftp-and-email"}
    ]
    unknown = courier.refuses("numbers", "set", number, "--account", "nobody", "--method", "ftp")
    assert "'nobody'" in unknown
    courier.ok("numbers", "remove", number)
    assert number in courier.refuses("numbers", "remove", number)


def test_the_default_method_is_set_for_recordings_without_a_known_number(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    told = courier.ok("numbers", "default", "--account", "acme", "--method", "ftp-and-email")
    assert told.out == "Recordings of acme without a known number go by ftp-and-email.\n"
    shown = courier.inside("accounts", "show", "acme", "--json").json
    assert shown["default_method"] == "ftp-and-email"
    assert "FTP & Email" in courier.inside("accounts", "show", "acme").out
    [listed] = courier.inside("accounts", "list", "--json").json
    assert listed == shown
    unknown = courier.refuses("numbers", "default", "--account", "nobody", "--method", "ftp")
    assert "'nobody'" in unknown
    assert courier.inside("numbers", "default", "--account", "acme", "--method", "fax").code == 2


def test_templates_are_previewed_set_shown_and_taken_back(
    courier: Program, stage: Stage, asyncssh_server: AsyncSshServer
) -> None:
    stage.account(asyncssh_server.customer)
    templates = ["--folder-template", "{date:%Y}/{number}", "--name-template", "{stem}{extension}"]
    previewed = courier.inside("accounts", "preview-name", "acme", *templates, "--number", "+49")
    assert "2026/+49/20261123-140500_01632960001.wav" in previewed.out
    other = ["--time-zone", "Europe/London", "--in-flight", "dot", "--name-encoding", "latin-1"]
    assert courier.inside("accounts", "set", "acme", *templates, *other).code == 0
    page = courier.inside("accounts", "show", "acme").out
    for line in ("{date:%Y}/{number}", "Europe/London", "begins with a dot", "Latin-1"):
        assert line in page
    shown = courier.inside("accounts", "preview-name", "acme", "--json").json
    assert shown["path"].endswith("2026/+441632960001/20261123-140500_01632960001.wav")
    assert "/.courier-" in shown["temporary_path"]

    assert courier.misused("accounts", "set", "acme", "--folder-template", "..") == (
        "--folder-template may become .., which is no name."
    )
    assert courier.misused("accounts", "preview-name", "acme", "--name-template", "{a}").startswith(
        "--name-template has the field {a}, which is none of"
    )
    back = ["--folder-template", "", "--name-template", "", "--in-flight", "suffix"]
    assert courier.inside("accounts", "set", "acme", *back).code == 0
    names = ("folder_template", "name_template", "in_flight")
    settings = courier.inside("accounts", "show", "acme", "--json").json["settings"]
    assert [settings[name] for name in names] == ["", "", "suffix"]
