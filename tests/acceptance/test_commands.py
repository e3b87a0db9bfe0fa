"""The commands, run as a user runs them, on a real broker, database and customers' servers."""

import csv
import io
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pika
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr

from config.accounts import FtpSettings, Protocol
from config.audit import Audit
from config.settings import Settings
from consumers import topology
from consumers.events import RecordingReady
from consumers.ledger import Arrival, Blame, Claimant, LastError
from deploy.local.customers import AsyncSshServer, CustomerServer, PyFtpServer, SmtpSink
from tests.acceptance.program import LIMIT, Program, ended
from tests.integration.platform import until
from worker.core import Core, Messaging, open_core, open_messaging

NOWHERE = "127.0.0.1:1"
ERROR = LastError("account", "530 Login incorrect.", "Check username and password.")


class Stage:
    """Brings the platform into a state, by its own modules, that a command then meets."""

    def __init__(self, core: Core, messaging: Messaging) -> None:
        self.core = core
        self.messaging = messaging

    def account(self, server: CustomerServer, account_id: str = "acme") -> None:
        """An account with settings, as `accounts set` leaves it."""
        self.core.directory.create(account_id, name="Acme Ltd", ftp_access=True)
        settings = FtpSettings(
            protocol=Protocol.SFTP if server.host_key else Protocol.FTP,
            host=server.host,
            port=server.port,
            username=server.username,
            host_key=server.host_key,
        )
        self.core.directory.save_settings(account_id, settings, SecretStr(server.password))

    def queued(self, recording_id: str, account_id: str = "acme") -> None:
        """A recording on its way, published to its account's queue."""
        content = {
            "recording_id": recording_id,
            "account_id": account_id,
            "file_url": f"file:///recordings/{recording_id}.wav",
        }
        event = RecordingReady.model_validate(content)
        arrival = Arrival(event, json.dumps(content).encode(), skipped=False)
        [row] = self.core.ledger.files.open([arrival])
        assert row.routing is not None
        self.messaging.router.route(row.routing)

    def dead(self, recording_id: str, account_id: str = "acme", reason: str = "account") -> None:
        """A recording that has used up its tries."""
        self.queued(recording_id, account_id)
        files = self.core.ledger.files
        claim = files.claim(recording_id, 1, Claimant("w", "s", 1), ".")
        assert claim is not None
        self.messaging.dead_letters.bury(claim.routing, 5, reason)
        error = LastError(reason, ERROR.words, ERROR.advice)
        files.dead_lettered(
            claim, counted=True, by_account=True, casualty_of=None, error=error, part_left=False
        )

    def suspended(self, account_id: str = "acme") -> None:
        """An account after its tenth failure."""
        accounts = self.core.ledger.accounts
        assert accounts.adopt(account_id, 1)
        blame = Blame(self.core.directory.get(account_id), ERROR, 0, None)
        seen = accounts.read(account_id)
        assert accounts.suspend(account_id, 1, seen, failures=10, seconds=900, blame=blame)

    def status(self, recording_id: str) -> str:
        """Where the recording is."""
        row = self.core.ledger.files.row(recording_id)
        assert row is not None
        return str(row["status"])


@pytest.fixture
def courier(amqp_url: str, mongodb_url: str, smtp_sink: SmtpSink, tmp_path: Path) -> Program:
    folder = tmp_path / "courier"
    folder.mkdir()
    urls = {"AMQP_URL": amqp_url, "MONGODB_URL": mongodb_url, "SMTP_URL": smtp_sink.url}
    return Program(folder, urls)


@pytest.fixture
def stage(courier: Program) -> Iterator[Stage]:
    settings = Settings(
        amqp_url=SecretStr(courier.settings["AMQP_URL"]),
        mongodb_url=SecretStr(courier.settings["MONGODB_URL"]),
        secret_keys=(SecretStr(courier.key),),
    )
    with open_core(settings) as core, open_messaging(core, lambda _: None) as messaging:
        yield Stage(core, messaging)


def options_of(server: CustomerServer) -> list[str]:
    return [
        *("--protocol", "sftp" if server.host_key else "ftp"),
        *("--host", server.host, "--port", str(server.port), "--username", server.username),
        "--password-stdin",
    ]


def facts_of(courier: Program, group: str, name: str) -> dict[str, Any]:
    """What is shown of an account or a recording."""
    found: dict[str, Any] = courier.inside(group, "show", name, "--json").json
    return found


def queue_lengths(courier: Program, *names: str) -> list[int | None]:
    """Messages in each queue; None where there is no such queue."""
    connection = pika.BlockingConnection(pika.URLParameters(courier.settings["AMQP_URL"]))
    try:
        return [_length(connection, name) for name in names]
    finally:
        connection.close()


def _length(connection: pika.BlockingConnection, name: str) -> int | None:
    try:
        declared = connection.channel().queue_declare(name, passive=True)
    except pika.exceptions.ChannelClosedByBroker:
        return None
    return int(declared.method.message_count)


# --- the program ------------------------------------------------------------------------------


def test_the_program_tells_its_version_commands_schema_and_a_new_key(courier: Program) -> None:
    assert courier.ok("--version").out == "courier 0.1.0\n"
    shown = courier.ok("--help").out
    for name in ("run", "check", "publish", "accounts", "dead-letters", "invalid", "status"):
        assert name in shown
    assert courier.ok("schema").json["title"] == "recording.ready"
    Fernet(courier.ok("secrets", "generate").out.strip())


def test_wrong_usage_ends_with_2(courier: Program) -> None:
    assert courier("bogus").code == 2
    for arguments in (
        ["accounts", "set", "acme", "--port", "many"],
        ["deliveries", "list", "--since", "yesterday"],
        ["deliveries", "list", "--status", "lost"],
    ):
        answer = courier.inside(*arguments)
        assert answer.code == 2
        assert "Value error" not in answer.err
        assert "Traceback" not in answer.err
        assert answer.out == ""


def test_a_lease_shorter_than_the_brokers_patience_is_refused(courier: Program) -> None:
    sentence = courier.refuses("run", LEASE_SECONDS="20")
    assert sentence.startswith("COURIER_LEASE_SECONDS must be more than 20:")


def test_each_unusable_setting_is_told_in_a_line(courier: Program) -> None:
    answer = courier("accounts", "list", MAX_TRIES="many", BOGUS="1")
    assert answer.code == 1
    assert [line.split()[0] for line in answer.err.splitlines()] == [
        "COURIER_BOGUS",
        "COURIER_MAX_TRIES",
    ]


def test_a_server_that_is_away_is_named_with_its_setting_and_without_its_password(
    courier: Program,
) -> None:
    away = {
        "MONGODB_URL": f"mongodb://user:hunter2@{NOWHERE}/courier",
        "AMQP_URL": f"amqp://guest:hunter2@{NOWHERE}/",
        "SMTP_URL": f"smtp://user:hunter2@{NOWHERE}",
    }
    checking = courier.start("check", SECRET_KEYS=None, **away)
    listing = courier.start("accounts", "list", **away)
    sentence = courier("invalid", "list", **away).sentence
    assert sentence.startswith("RabbitMQ cannot be used (")
    assert sentence.endswith("start it, or correct COURIER_AMQP_URL.")
    assert "hunter2" not in sentence
    listed = courier.end(listing)
    assert listed.sentence == (
        f"MongoDB is away ({NOWHERE}: Connection refused): start it, or correct "
        "COURIER_MONGODB_URL."
    )
    checked = courier.end(checking)
    assert checked.sentence == (
        "RabbitMQ and MongoDB and SMTP and keys are not usable: follow the advice given above."
    )
    assert checked.out.count("✗") == 4
    assert "not known: MongoDB could not be asked" in checked.out
    assert "hunter2" not in checked.out


def test_stored_passwords_are_rotated_to_the_first_key_and_unreadable_ones_named(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    for account_id in ("acme", "other"):
        stage.account(pyftpd_server.customer, account_id)
    new = Fernet.generate_key().decode()
    rotated = courier.ok("secrets", "rotate", SECRET_KEYS=f"{new},{courier.key}")
    assert rotated.out == "2 passwords rotated, 0 unreadable.\n"
    again = courier.inside("secrets", "rotate", SECRET_KEYS=new)
    assert (again.code, again.out) == (0, "0 passwords rotated, 0 unreadable.\n")

    stage.core.directory.forget_settings("other")
    stage.account(pyftpd_server.customer, "third")  # by the old key
    lost = courier.inside("secrets", "rotate", SECRET_KEYS=courier.key)
    assert lost.out == "0 passwords rotated, 1 unreadable.\n"
    assert lost.sentence.startswith("No key in COURIER_SECRET_KEYS can read the password of acme:")
    assert "is not set" in courier.refuses("secrets", "rotate", SECRET_KEYS=None)
    entries = [entry for entry in Audit(stage.core.database).list() if entry.account_id is None]
    assert {entry.action for entry in entries} == {"secrets.rotated"}
    assert [entry.after for entry in entries][::-1] == [
        {"rotated": 2, "unreadable": 0},
        {"rotated": 0, "unreadable": 0},
        {"rotated": 0, "unreadable": 1},
    ]


# --- check, status ----------------------------------------------------------------------------


def test_check_passes_where_all_is_there(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    shown = courier.ok("check").out
    assert shown.count("✓") == 5
    assert "✗" not in shown


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


def test_check_tells_in_words_that_the_broker_refuses(courier: Program) -> None:
    url = courier.settings["AMQP_URL"].replace("guest:guest@", "guest:wrong@")
    answer = courier("check", "--json", AMQP_URL=url)
    assert answer.sentence == "RabbitMQ is not usable: follow the advice given above."
    (refused,) = (each["detail"] for each in answer.json if each["name"] == "RabbitMQ")
    assert refused.startswith("Login was refused using authentication mechanism PLAIN.")


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
        "state": "disabled",
        "consecutive_failures": 0,
        "suspended_until": None,
        "last_error": None,
        "last_error_advice": None,
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
    assert courier.inside("accounts", "set", "acme", *changed, "--recovery-email").code == 0
    page = courier.inside("accounts", "show", "acme").out
    for line in ("Overwrite it", "Once an outage, and then daily", "recovery e-mail"):
        assert line in page
    newer = ("uploads", "existing_file", "alert_frequency", "recovery_email")
    shown = courier.inside("accounts", "show", "acme", "--json").json["settings"]
    assert [shown[name] for name in newer] == [3, "overwrite", "outage", True]

    back = ["--uploads", "0", "--no-recovery-email"]
    assert courier.inside("accounts", "set", "acme", *back).code == 0
    shown = courier.inside("accounts", "show", "acme", "--json").json["settings"]
    assert [shown[name] for name in newer] == [None, "overwrite", "outage", False]
    assert courier.misused("accounts", "set", "acme", "--uploads", "9") == (
        "--uploads must be a whole number from 1 to 8."
    )
    assert courier.inside("accounts", "set", "acme", "--existing-file", "keep").code == 2


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


def test_the_pin_of_one_server_is_not_kept_for_another(
    courier: Program, stage: Stage, asyncssh_server: AsyncSshServer, tmp_path: Path
) -> None:
    stage.account(asyncssh_server.customer)
    (tmp_path / "other").mkdir()
    first = asyncssh_server.customer
    with AsyncSshServer(tmp_path / "other", password=first.password) as other:
        moved = other.customer
        answer = courier.ok("accounts", "set", "acme", "--port", moved.port)
    assert f"The host key {moved.host_key} is pinned" in answer.out
    settings = stage.core.directory.get("acme").settings
    assert settings is not None
    assert settings.host_key == moved.host_key


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
        accounts = [stage.core.directory.get("acme")]
        return stage.core.ledger.accounts.shown_states(accounts, {"acme"})["acme"]

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


# --- deliveries, dead letters -----------------------------------------------------------------


def test_recordings_are_listed_by_account_status_and_time(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    stage.core.directory.create("other")
    stage.queued("a1")
    stage.dead("a2")
    stage.queued("o1", "other")

    def ids(*filters: str) -> list[str]:
        listed = courier.inside("deliveries", "list", "--json", *filters).json
        return [each["recording_id"] for each in listed]

    assert [each["recording_id"] for each in courier.ok("deliveries", "list", "--json").json] == [
        *("o1", "a2", "a1"),
    ]
    assert ids("--account", "acme", "--limit", "1") == ["a2"]
    assert ids("--status", "queued", "--since", "1h") == ["o1", "a1"]
    assert ids("--until", "2020-01-01") == []
    assert "'nobody'" in courier.refuses("deliveries", "list", "--account", "nobody")
    shown = courier.ok("deliveries", "show", "a2", "--json").json
    wanted = {
        "recording_id": "a2",
        "account_id": "acme",
        "status": "dead_lettered",
        "tries": 1,
        "remote_path": None,
        "size": None,
        "last_error": "530 Login incorrect.",
        "delivered_at": None,
    }
    assert wanted.items() <= shown.items()
    assert shown["created_at"].endswith("Z")
    assert "530 Login incorrect." in courier.inside("deliveries", "show", "a2").out
    assert "no recording 'nope'" in courier.refuses("deliveries", "show", "nope")


def test_recordings_are_exported_as_csv_and_as_lines_of_json(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    stage.core.directory.create("other")
    stage.queued("=1+1")
    stage.dead("a2")
    stage.queued("o1", "other")
    rows = stage.core.database["deliveries"]
    rows.update_one({"_id": "a2"}, {"$set": {"number": "+441632960001", "size": 7}})
    rows.update_one({"_id": "o1"}, {"$set": {"file_name": ' @x, "y".wav', "number": "-1"}})

    text = courier.ok("deliveries", "export").out
    cells = list(csv.DictReader(io.StringIO(text)))
    assert [each["recording_id"] for each in cells] == ["o1", "a2", "'=1+1"]
    assert (cells[0]["file_name"], cells[0]["number"]) == ('\' @x, "y".wav', "'-1")
    assert (cells[1]["number"], cells[1]["size"]) == ("'+441632960001", "7")
    assert (cells[1]["status"], cells[1]["last_error"]) == ("dead_lettered", ERROR.words)

    lines = courier.inside("deliveries", "export", "--json").out.splitlines()
    assert [json.loads(line) for line in lines] == courier.inside(
        "deliveries", "list", "--json"
    ).json

    def count(*filters: str) -> int:
        return len(courier.inside("deliveries", "export", "--json", *filters).out.splitlines())

    assert count("--account", "acme") == 2
    assert count("--account", "acme", "--status", "queued", "--since", "1h") == 1
    assert count("--until", "2020-01-01") == 0
    nothing = courier.inside("deliveries", "export", "--until", "2020-01-01")
    assert nothing.out.splitlines() == [",".join(cells[0])]
    assert "'nobody'" in courier.refuses("deliveries", "export", "--account", "nobody")


def test_dead_letters_are_replayed_by_filter_oldest_first(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    for number in range(3):
        stage.dead(f"r{number}")
    stage.dead("broken", reason="source")
    listed = courier.ok("dead-letters", "list", "--reason", "source", "--json").json
    assert [(each["recording_id"], each["reason"]) for each in listed] == [("broken", "source")]
    one = courier.ok("dead-letters", "replay", "--recording", "r1")
    assert one.out == "1 dead letter replayed.\n"
    again = courier.refuses("dead-letters", "replay", "--recording", "r1")
    assert again == "The recording 'r1' is queued: it is no dead letter."
    two = courier.inside("dead-letters", "replay", "--account", "acme", "--reason", "account")
    assert two.out == "2 dead letters replayed.\n"
    assert [stage.status(each) for each in ("r0", "r2", "broken")] == [
        *("queued", "queued"),
        "dead_lettered",
    ]
    assert queue_lengths(courier, "dead-letters.acme") == [1]


def test_dead_letters_are_given_up(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    stage.dead("old")
    assert courier.inside("dead-letters", "discard", "--until", "1h").out == (
        "0 dead letters discarded.\n"
    )
    courier.ok("dead-letters", "discard", "--account", "acme")
    assert stage.status("old") == "discarded"
    assert queue_lengths(courier, "dead-letters.acme") == [0]


# --- invalid ----------------------------------------------------------------------------------


def invalid(stage: Stage, reason: str, body: bytes, message_id: str | None = None) -> None:
    url = stage.core.settings.amqp_url
    topology.declare_once(url, topology.RECORDINGS, topology.INTAKE, topology.INVALID)
    headers = {topology.REASON_HEADER: reason}
    content_type = "application/cloudevents+json"
    stage.messaging.publisher.publish(
        "", "recordings.invalid", body, headers, message_id=message_id, content_type=content_type
    )


def test_invalid_events_are_listed_replayed_and_discarded_by_reason(
    courier: Program, stage: Stage
) -> None:
    body = b'{"data": {"recording_id": "r1", "account_id": "acme"}}'
    invalid(stage, "unknown-account: there is no account 'acme'", body, "m1")
    invalid(stage, "malformed: not UTF-8 JSON", b"\xff\x1b[31m")
    first, second = courier.ok("invalid", "list", "--json").json
    assert first == {
        "reason": "unknown-account: there is no account 'acme'",
        "recording_id": "r1",
        "account_id": "acme",
        "size": len(body),
        "begins": body.decode(),
    }
    assert (second["recording_id"], second["size"]) == (None, 6)
    assert "\x1b" not in courier.inside("invalid", "list").out
    replayed = courier.ok("invalid", "replay", "--reason", "unknown-account")
    assert replayed.out == "1 event published again.\n"
    assert queue_lengths(courier, "recordings.ready", "recordings.invalid") == [1, 1]
    connection = pika.BlockingConnection(pika.URLParameters(courier.settings["AMQP_URL"]))
    _, properties, again = connection.channel().basic_get("recordings.ready", auto_ack=True)
    connection.close()
    assert (again, properties.message_id) == (body, "m1")
    assert properties.content_type == "application/cloudevents+json"
    courier.ok("invalid", "discard")
    assert queue_lengths(courier, "recordings.invalid") == [0]
    discarding, replaying = Audit(stage.core.database).list()
    assert (replaying.action, replaying.after) == (
        "invalid.replayed",
        {"count": 1, "recordings": "r1"},
    )
    assert (discarding.action, discarding.after["count"]) == ("invalid.discarded", 1)
    assert replaying.actor.startswith("cli:")


# --- publish, run -----------------------------------------------------------------------------


def test_nothing_is_published_that_could_not_be_delivered(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    there = courier.folder / "call.wav"
    there.write_bytes(b"x")
    missing = courier.refuses("publish", there, "missing.wav", "--account", "acme")
    assert missing == "The file missing.wav does not exist: nothing was published."
    assert "'nobody'" in courier.refuses("publish", there, "--account", "nobody")
    assert "s3://" in courier.refuses("publish", "s3://bucket/key", "--account", "acme")
    two = courier.inside("publish", there, there, "--account", "acme", "--recording-id", "r1")
    assert two.code == 2
    assert queue_lengths(courier, "recordings.ready") == [None]


def test_a_path_is_published_as_a_url_with_its_size(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    (courier.folder / "a b#é.wav").write_bytes(b"x" * 10)
    given = ["--account", "acme", "--number", "+44", "--recording-id", "r1"]
    courier.ok("publish", "a b#é.wav", *given)
    connection = pika.BlockingConnection(pika.URLParameters(courier.settings["AMQP_URL"]))
    _, properties, body = connection.channel().basic_get("recordings.ready", auto_ack=True)
    connection.close()
    assert json.loads(body) == {
        "recording_id": "r1",
        "account_id": "acme",
        "number": "+44",
        "size": 10,
        "file_url": (courier.folder / "a%20b%23%C3%A9.wav").as_uri().replace("%25", "%"),
    }
    assert (properties.delivery_mode, properties.content_type) == (2, "application/json")


def test_recordings_are_published_and_waited_for_until_each_is_final(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    server = pyftpd_server.customer
    stage.account(server)
    (courier.folder / "call.wav").write_bytes(b"x" * 1000)
    with courier.running(RETRY_DELAYS="0", MAX_TRIES="1"):
        answer = courier.ok("publish", "call.wav", "--account", "acme", "--wait", "--json")
        assert [each["status"] for each in answer.json] == ["delivered"]
        assert (server.root / "call.wav").read_bytes() == b"x" * 1000

        gone = (courier.folder / "gone.wav").as_uri()
        given = ["--account", "acme", "--recording-id", "g1", "--wait"]
        dead = courier("publish", gone, *given)
        assert dead.out.startswith("g1 dead-lettered")
        assert dead.sentence.startswith("1 of 1 not delivered; g1 is dead-lettered (")

        conflict = courier("publish", "call.wav", *given)
        assert conflict.out == "g1 invalid conflict\n"
        assert "'courier invalid replay'" in conflict.sentence
        assert courier.ok("status", "--json").json["workers"] == 1


def test_a_customer_is_set_up_is_refused_corrected_and_gets_the_recording_that_waited(
    courier: Program, tmp_path: Path
) -> None:
    folder = tmp_path / "customer"
    folder.mkdir()
    (courier.folder / "call.wav").write_bytes(b"x" * 1000)
    with AsyncSshServer(folder, logon=("keyboard-interactive",)) as server, courier.running():
        courier.ok("accounts", "create", "acme", "--ftp-access")
        courier.ok("publish", "call.wav", "--account", "acme", "--recording-id", "r1")
        until(lambda: facts_of(courier, "accounts", "acme")["queued"] == 1, "the recording to wait")
        settings = [*options_of(server.customer), "--logon-type", "interactive"]

        wrong = courier("accounts", "set", "acme", *settings, stdin="wrong\n")
        assert wrong.sentence.startswith("Nothing was saved: Authentication failed")
        assert "✗ logged in" in wrong.out
        assert facts_of(courier, "accounts", "acme")["settings"] is None

        right = courier.ok("accounts", "set", "acme", *settings, stdin=f"{server.password}\n")
        assert f"The host key {server.customer.host_key} is pinned" in right.out
        saved = facts_of(courier, "accounts", "acme")["settings"]
        assert (saved["protocol"], saved["logon_type"]) == ("sftp", "interactive")
        until(
            lambda: facts_of(courier, "deliveries", "r1")["status"] == "delivered", "it to arrive"
        )
        assert facts_of(courier, "deliveries", "r1")["tries"] == 0
        assert (folder / "call.wav").read_bytes() == b"x" * 1000


def test_the_service_waits_for_its_database_and_ends_on_ctrl_c(courier: Program) -> None:
    away = f"mongodb://{NOWHERE}/courier"
    process = courier.start("run", METRICS_BIND="127.0.0.1:0", MONGODB_URL=away)
    with ended(process):
        assert process.stderr is not None
        line = json.loads(process.stderr.readline())
        assert (line["event"], line["where"]) == ("trouble", "mongodb")
        assert "Connection refused" in line["words"]
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=LIMIT)
    assert (process.returncode, rest) == (0, "")


def test_the_service_refuses_a_taken_address_and_no_process_at_all(
    courier: Program, smtp_sink: SmtpSink
) -> None:
    taken = f"127.0.0.1:{smtp_sink.port}"
    sentence = courier("run", METRICS_BIND=taken).sentence
    assert sentence.startswith(f"The metrics address {taken} cannot be used (Address already in")
    assert courier.inside("run", "--processes", "0").code == 2
