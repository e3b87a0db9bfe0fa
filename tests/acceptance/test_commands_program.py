"""The program as such: version, usage, its own settings and keys."""

from cryptography.fernet import Fernet

from config.audit import Audit
from deploy.local.customers import PyFtpServer
from tests.acceptance.program import Program
from tests.acceptance.stage import NOWHERE, Stage


def test_the_program_tells_its_version_commands_schema_and_a_new_key(courier: Program) -> None:
    assert courier.ok("--version").out == "courier 0.1.0\n"
    shown = courier.ok("--help").out
    for name in ("run", "check", "publish", "accounts", "dead-letters", "invalid", "status"):
        assert name in shown
    assert courier.ok("schema").json["title"] == "recording.ready"
    assert courier.inside("schema", "--asyncapi").json["asyncapi"] == "3.0.0"
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
    assert rotated.out == "2 stored secrets rotated, 0 unreadable.\n"
    again = courier.inside("secrets", "rotate", SECRET_KEYS=new)
    assert (again.code, again.out) == (0, "0 stored secrets rotated, 0 unreadable.\n")

    stage.core.directory.forget_settings("other")
    stage.account(pyftpd_server.customer, "third")  # by the old key
    lost = courier.inside("secrets", "rotate", SECRET_KEYS=courier.key)
    assert lost.out == "0 stored secrets rotated, 1 unreadable.\n"
    assert lost.sentence.startswith(
        "No key in COURIER_SECRET_KEYS can read what is stored for acme:"
    )
    assert "is not set" in courier.refuses("secrets", "rotate", SECRET_KEYS=None)
    entries = [entry for entry in Audit(stage.core.database).list() if entry.account_id is None]
    assert {entry.action for entry in entries} == {"secrets.rotated"}
    assert [entry.after for entry in entries][::-1] == [
        {"rotated": 2, "unreadable": 0},
        {"rotated": 0, "unreadable": 0},
        {"rotated": 0, "unreadable": 1},
    ]
