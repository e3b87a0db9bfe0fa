"""What an account's settings promise: existing files, how often an outage is told of, its end."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from asyncssh.sftp import SFTPServerHandler
from pydantic import SecretStr
from pyftpdlib.handlers import FTPHandler

from config.accounts import AlertFrequency, ExistingFile, HashAlgorithm, Protocol
from consumers import topology
from consumers.events import decode
from consumers.ledger import Arrival, Blame, Claim, Claimant, Document, LastError, Relief
from consumers.policy import State
from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from deploy.local.processes import Child
from tests.contract.ftp_handlers import ModernHashing
from tests.integration import test_crash
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers import Sshd, Vsftpd
from transports.base import Egress, Limits
from transports.probe import test_settings as run_test
from transports.upload import Intent, Uploaded, Verified

IT = ("it@acme.example",)
OVERWRITE: dict[str, Any] = {"existing_file": ExistingFile.OVERWRITE}
NAMES = [f"call-{number:02}.wav" for number in range(6)]
ME = Claimant("worker", "session", 1)


@pytest.fixture
def courier(make_courier: MakeCourier) -> Platform:
    return make_courier(retry_delays=(0.0, 0.2, 0.4, 0.8), suspend_after=2, suspend_seconds=1)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below the folder, and its content."""
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- existing files -------------------------------------------------------------------------


def publish_versions(courier: Platform, count: int) -> list[str]:
    """Recordings that all want the same name."""
    return [
        courier.publish(
            "acme", courier.recording(f"{number}.wav", b"%d" % number * 9), file_name="call.wav"
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("server", ["sshd", "vsftpd"])
def test_where_overwriting_is_chosen_the_latest_recording_of_a_name_stands_there(
    courier: Platform, server: str, request: pytest.FixtureRequest
) -> None:
    there: Sshd | Vsftpd = request.getfixturevalue(server)
    protocol = Protocol.SFTP if server == "sshd" else Protocol.FTP
    courier.account("acme", there.customer, protocol, **OVERWRITE)
    with running(courier):
        ids = publish_versions(courier, 4)
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
    rows = [courier.row(recording_id) for recording_id in ids]
    assert files_of(there.root) == {"call.wav": b"3" * 9}
    assert [row.get("remote_path") for row in rows] == [None, None, None, "call.wav"]
    replaced = [(row["replaced"]["path"], row["replaced"]["by"]) for row in rows[:-1]]
    assert replaced == [("call.wav", recording_id) for recording_id in ids[1:]]
    assert [row["tries"] for row in rows] == [0, 0, 0, 0]


def test_where_numbers_are_chosen_every_recording_of_a_name_stays(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        for recording_id in publish_versions(courier, 3):
            courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert sorted(files_of(customer.root)) == ["call (2).wav", "call (3).wav", "call.wav"]


def test_a_file_of_the_customers_own_is_overwritten_too(
    courier: Platform, customer: AsyncSshServer
) -> None:
    (customer.root / "call.wav").write_bytes(b"the customer's own")
    courier.account("acme", customer.customer, Protocol.SFTP, **OVERWRITE)
    with running(courier):
        (recording_id,) = publish_versions(courier, 1)
        courier.wait_status(recording_id, "delivered")
    assert files_of(customer.root) == {"call.wav": b"0" * 9}


def publish_two(courier: Platform, *names: str) -> None:
    """Two recordings of the name `call.wav`, that lie in the queue of the paused account."""
    courier.core.ledger.accounts.pause("acme")
    for name in names:
        source = courier.recording(f"{name}.wav", name.encode() * 9)
        courier.publish("acme", source, file_name="call.wav", recording_id=name)
    courier.wait_routed(names)


def hold_the_path(courier: Platform, recording_id: str, delay: float) -> None:
    """A try of it ended at the rename, so that nobody knows whether the file stands there."""
    claim = claimed(courier, recording_id)
    files = courier.core.ledger.files
    assert files.intend(claim, intent(claim), ".", 1, overwrite=True)
    files.waits(claim, delay=delay, counted=True, by_account=True, error=ERROR, part_left=True)


def test_a_recording_waits_uncounted_for_another_of_its_name_and_then_takes_its_place(
    courier: Platform, customer: AsyncSshServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.attempt.IN_USE_DELAY", 0.2)
    courier.account("acme", customer.customer, Protocol.SFTP, **OVERWRITE)
    with running(courier):
        publish_two(courier, "first", "second")
        hold_the_path(courier, "first", delay=1.5)
        courier.core.ledger.accounts.resume("acme")
        until(lambda: courier.row("second")["starts"] > 1, "the second to have been started")
        assert courier.row("second")["last_error"]["words"].startswith("Another recording")
        for recording_id in ("first", "second"):
            courier.wait_status(recording_id, "delivered")
    assert files_of(customer.root) == {"call.wav": b"second" * 9}
    assert courier.row("first")["replaced"]["by"] == "second"
    assert courier.row("second")["tries"] == 0
    assert courier.run_state("acme").failures == 0


def test_a_probe_that_must_wait_for_another_of_its_name_lets_that_be_the_probe(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, **OVERWRITE)
    with running(courier):
        publish_two(courier, "oldest", "holder")
        hold_the_path(courier, "holder", delay=0)
        suspend(courier, seconds=0.1)
        courier.core.ledger.accounts.resume("acme")
        for recording_id in ("holder", "oldest"):
            courier.wait_status(recording_id, "delivered")
        courier.wait_state("acme", State.ACTIVE)
    assert courier.row("holder")["replaced"]["by"] == "oldest"
    assert files_of(customer.root) == {"call.wav": b"oldest" * 9}


program = test_crash.program


@pytest.mark.parametrize("moment", ["removed", "renamed", "renamed over"])
def test_killed_while_it_overwrites_the_new_file_stands_there_and_was_sent_once(
    courier: Platform,
    tmp_path: Path,
    program: Child,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    kills = [program.kill]
    uploads: list[bytes] = []

    def come_to(here: str) -> None:
        if here == moment and kills:
            kills.pop()()

    class Deadly(asyncssh.SFTPServer):
        def open(self, path: bytes, pflags: int, attrs: asyncssh.SFTPAttrs) -> Any:
            uploads.append(path)
            return super().open(path, pflags, attrs)

        def remove(self, path: bytes) -> Any:
            removed = super().remove(path)
            if not path.endswith(b".part"):
                come_to("removed")
            return removed

        def rename(self, oldpath: bytes, newpath: bytes) -> Any:
            renamed = super().rename(oldpath, newpath)
            come_to("renamed")
            return renamed

        def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
            renamed = super().posix_rename(oldpath, newpath)
            come_to("renamed over")
            return renamed

    if moment != "renamed over":
        known = SFTPServerHandler._extensions
        left = [pair for pair in known if not pair[0].startswith(b"posix-rename")]
        monkeypatch.setattr(SFTPServerHandler, "_extensions", left)
    root = tmp_path / "deadly"
    root.mkdir()
    (root / "call.wav").write_bytes(b"x" * 9)  # of the same size: it must not be taken for ours
    topology.declare_once(
        courier.core.settings.amqp_url, topology.RECORDINGS, topology.DELIVERIES, topology.INTAKE
    )
    with AsyncSshServer(root, sftp=Deadly) as server:
        courier.account("acme", server.customer, Protocol.SFTP, **OVERWRITE)
        (recording_id,) = publish_versions(courier, 1)
        program.start()
        until(lambda: program.pid is None, "the program to be killed")
        program.start()
        courier.wait_status(recording_id, "delivered", 60)
    assert not kills
    assert files_of(root) == {"call.wav": b"0" * 9}
    assert len(uploads) == 1
    assert courier.row(recording_id)["tries"] == 0


ERROR = LastError("account", "421 Bye", "Check the server.")


def opened(courier: Platform, name: str) -> str:
    """A recording whose event was taken."""
    courier.core.ledger.ensure_indexes()
    source = courier.recording(f"{name}.wav", name.encode() * 9)
    body = (
        f'{{"recording_id": "{name}", "account_id": "acme", "file_url": "{source.as_uri()}",'
        ' "file_name": "call.wav"}'
    ).encode()
    arrival = Arrival(decode(body, "application/json"), body, skipped=False)
    courier.core.ledger.files.open([arrival])
    return name


def claimed(courier: Platform, recording_id: str) -> Claim:
    files = courier.core.ledger.files
    turn = courier.row(recording_id)["turn"]
    claim = files.claim(recording_id, turn, ME, ".")
    assert claim is not None
    return claim


def intent(claim: Claim) -> Intent:
    return Intent(claim.part, "call.wav", 7, "0" * 64)


def deliver(courier: Platform, recording_id: str, *, overwrite: bool = True) -> None:
    claim = claimed(courier, recording_id)
    files = courier.core.ledger.files
    assert files.intend(claim, intent(claim), ".", 1, overwrite=overwrite)
    files.delivered(claim, Uploaded("call.wav", 7, "0" * 64, Verified.SIZE, sent=True))


def test_the_path_of_a_delivered_recording_is_taken_over_only_where_overwriting_is_chosen(
    courier: Platform,
) -> None:
    files = courier.core.ledger.files
    deliver(courier, opened(courier, "old"))
    new = claimed(courier, opened(courier, "new"))
    assert not files.intend(new, intent(new), ".", 1)
    assert courier.row("old")["remote_path"] == "call.wav"
    assert files.intend(new, intent(new), ".", 1, overwrite=True)
    assert "remote_path" not in courier.row("old")
    assert courier.row("old")["status"] == "delivered"
    assert courier.row("new")["remote_path"] == "call.wav"


def test_of_many_that_overwrite_at_once_one_has_the_path(courier: Platform) -> None:
    files = courier.core.ledger.files
    deliver(courier, opened(courier, "old"))
    claims = [claimed(courier, opened(courier, f"new-{number}")) for number in range(16)]
    with ThreadPoolExecutor(8) as pool:
        got = [
            *pool.map(
                lambda claim: files.intend(claim, intent(claim), ".", 1, overwrite=True), claims
            )
        ]
    assert sorted(got) == [False] * 15 + [True]
    holders = [row for row in courier.rows("acme") if "remote_path" in row]
    assert len(holders) == 1


def test_a_path_goes_back_to_its_recording_where_it_was_not_overwritten_after_all(
    courier: Platform,
) -> None:
    files = courier.core.ledger.files
    deliver(courier, opened(courier, "old"))
    new = claimed(courier, opened(courier, "new"))
    files.intend(new, intent(new), ".", 1, overwrite=True)
    files.waits(new, delay=0, counted=True, by_account=True, error=ERROR, part_left=False)
    assert courier.row("old")["remote_path"] == "call.wav"
    assert "replaced" not in courier.row("old")
    assert "remote_path" not in courier.row("new")
    deliver(courier, "new")
    assert courier.row("old")["replaced"]["by"] == "new"


def test_a_dead_letter_whose_path_is_taken_over_is_not_taken_for_delivered_when_replayed(
    courier: Platform,
) -> None:
    files = courier.core.ledger.files
    dead = claimed(courier, opened(courier, "dead"))
    files.intend(dead, intent(dead), ".", 1, overwrite=True)
    files.dead_lettered(
        dead, counted=True, by_account=True, casualty_of=None, error=ERROR, part_left=True
    )
    deliver(courier, opened(courier, "new"))
    routing = files.revive("dead")
    assert routing is not None
    assert claimed(courier, "dead").intent is None


def test_an_intent_that_a_start_has_found_outlives_its_failure_before_the_login(
    courier: Platform,
) -> None:
    files = courier.core.ledger.files
    first = claimed(courier, opened(courier, "one"))
    files.intend(first, intent(first), ".", 1)
    files.waits(first, delay=0, counted=True, by_account=True, error=ERROR, part_left=True)
    second = claimed(courier, "one")
    files.waits(second, delay=0, counted=True, by_account=True, error=ERROR, part_left=False)
    assert claimed(courier, "one").intent == intent(first)


def test_a_withdrawn_intent_is_gone_and_a_lost_claim_withdraws_nothing(courier: Platform) -> None:
    files = courier.core.ledger.files
    lost = claimed(courier, opened(courier, "one"))
    files.intend(lost, intent(lost), ".", 1)
    other = Claimant("other", "other", 2, alone=True)
    files.free_claims("acme", other)
    mine = files.claim("one", lost.turn, other, ".")
    assert mine is not None
    assert not files.withdraw(lost)
    assert courier.row("one")["intent"]
    assert files.withdraw(mine)
    assert "intent" not in courier.row("one")
    assert courier.row("one")["remote_path"] == "call.wav"


# --- what a server can do -------------------------------------------------------------------


def test_what_the_test_on_save_has_found_is_stored_and_used(
    courier: Platform, tmp_path: Path
) -> None:
    root = tmp_path / "ftp"
    root.mkdir()
    with PyFtpServer(root, handler=ModernHashing) as server, running(courier):
        courier.account("acme", server.customer, Protocol.FTP)
        stored = courier.core.directory.get("acme").settings
        assert stored is not None
        password = SecretStr(server.customer.password)
        found = run_test(stored, password, Limits(), Egress()).capabilities
        courier.save("acme", server.customer, Protocol.FTP, capabilities=found)
        again = courier.core.directory.get("acme").settings
        assert again is not None
        assert again.capabilities == found
        assert (found.hash, found.at_once) == (HashAlgorithm.SHA256, 4)
        (recording_id,) = courier.publish_many("acme", ["call.wav"])
        assert courier.wait_status(recording_id, "delivered")["verified"] == "hash"
        courier.account_for("acme", root)


# --- how often an outage is told of ---------------------------------------------------------


def suspend(courier: Platform, seconds: float = 900) -> None:
    accounts = courier.core.ledger.accounts
    account = courier.core.directory.get("acme")
    epoch = run_of(courier)["epoch"]
    seen = accounts.read("acme")
    blame = Blame(account, ERROR, queued=2, oldest=None)
    assert accounts.suspend("acme", epoch, seen, failures=2, seconds=seconds, blame=blame)


def recover(courier: Platform, relief: Relief | None) -> bool:
    accounts = courier.core.ledger.accounts
    return accounts.recovered("acme", 1, accounts.read("acme"), relief)


def relief_of(courier: Platform) -> Relief:
    return Relief(courier.core.directory.get("acme"), "421 Bye", queued=3, returning=1)


def told(courier: Platform) -> list[tuple[int, bool]]:
    """Of each pending alert its number, and whether the account's addresses hear of it."""
    alerts = courier.core.ledger.accounts.pending_alerts()
    return [(alert.number, alert.recipients == IT) for alert in alerts]


def let_pass(courier: Platform, time: timedelta) -> None:
    """Let the last alert of the outage be so much longer ago."""
    milliseconds = round(time.total_seconds() * 1000)
    earlier = {"$subtract": ["$run.outage_told", milliseconds]}
    courier.core.database["accounts"].update_one(
        {"_id": "acme"}, [{"$set": {"run.outage_told": earlier}}]
    )


@pytest.fixture
def quiet(courier: Platform, customer: AsyncSshServer) -> Platform:
    """A platform whose account is told of an outage once, and then daily."""
    courier.account(
        "acme",
        customer.customer,
        Protocol.SFTP,
        email_alerts=IT,
        alert_frequency=AlertFrequency.OUTAGE,
        recovery_email=True,
    )
    return courier


def test_of_an_outage_the_first_suspension_is_told_and_then_one_a_day(quiet: Platform) -> None:
    for _ in range(3):
        suspend(quiet)
    let_pass(quiet, timedelta(hours=23, minutes=59))
    suspend(quiet)
    let_pass(quiet, timedelta(minutes=1))
    suspend(quiet)
    suspend(quiet)
    assert told(quiet) == [
        (1, True),
        (2, False),
        (3, False),
        (4, False),
        (5, True),
        (6, False),
    ]


def test_the_next_outage_is_told_at_once(quiet: Platform) -> None:
    suspend(quiet)
    assert recover(quiet, None)
    suspend(quiet)
    assert told(quiet) == [(1, True), (2, True)]


def test_where_every_suspension_is_told_each_is(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    for _ in range(3):
        suspend(courier)
    assert told(courier) == [(1, True), (2, True), (3, True)]


def run_of(courier: Platform) -> Document:
    found = courier.core.database["accounts"].find_one({"_id": "acme"})
    assert found is not None
    run: Document = found["run"]
    return run


def test_the_end_of_an_outage_and_its_email_are_one_update(quiet: Platform) -> None:
    suspend(quiet)
    suspend(quiet)
    since = run_of(quiet)["outage_since"]
    with quiet.core.database["accounts"].watch(full_document="updateLookup") as changes:
        assert recover(quiet, relief_of(quiet))
        after = changes.next()["fullDocument"]["run"]
        assert changes.try_next() is None
    assert (after["state"], after["outage_since"], after["outage_suspensions"]) == (
        "active",
        None,
        0,
    )
    (mail,) = [alert for alert in after["alerts"] if alert.get("kind") == "recovery"]
    assert (mail["number"], mail["suspensions"], mail["since"]) == (2, 2, since)
    assert (mail["queued"], mail["returning"], mail["recipients"]) == (3, 1, list(IT))
    assert mail["at"] >= since


def test_a_recovery_that_the_world_has_overtaken_tells_nobody(quiet: Platform) -> None:
    suspend(quiet)
    accounts = quiet.core.ledger.accounts
    seen = accounts.read("acme")
    suspend(quiet)
    assert not accounts.recovered("acme", 1, seen, relief_of(quiet))
    assert [alert.number for alert in accounts.pending_alerts()] == [1, 2]


def test_failures_without_a_suspension_end_without_an_email(quiet: Platform) -> None:
    accounts = quiet.core.ledger.accounts
    accounts.adopt("acme", 1)
    assert recover(quiet, relief_of(quiet))
    assert [*accounts.pending_alerts()] == []


def test_a_suspension_and_the_recovery_after_it_are_stored_and_forgotten_each_by_itself(
    quiet: Platform,
) -> None:
    accounts = quiet.core.ledger.accounts
    suspend(quiet)
    recover(quiet, relief_of(quiet))
    suspension, recovery = accounts.pending_alerts()
    assert suspension.number == recovery.number
    accounts.alert_stored(suspension)
    assert [*accounts.pending_alerts()] == [recovery]
    accounts.alert_stored(recovery)
    assert [*accounts.pending_alerts()] == []


def mails(smtp_sink: SmtpSink) -> list[str]:
    return [mail.message["Subject"] for mail in smtp_sink.messages if mail.recipients == IT]


def test_an_outage_is_told_once_and_so_is_its_end_and_the_oncall_hears_as_ever(
    make_courier: MakeCourier, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier = make_courier(
        retry_delays=(0.0,),
        suspend_after=2,
        suspend_seconds=0.3,
        oncall_emails=("oncall@platform.example",),
    )
    courier.account(
        "acme",
        customer.customer,
        Protocol.SFTP,
        email_alerts=IT,
        alert_frequency=AlertFrequency.OUTAGE,
        recovery_email=True,
    )
    customer.stop()
    with running(courier):
        ids = courier.publish_many("acme", NAMES)
        until(lambda: courier.run_state("acme").suspensions >= 4, "several suspensions")
        courier.wait_routed(ids)
        customer.start()
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        until(lambda: len(mails(smtp_sink)) == 2, lambda: f"two e-mails: {mails(smtp_sink)}")
        courier.account_for("acme", customer.root)
    assert mails(smtp_sink) == ["FTP Suspension Alert", "FTP Suspension Ended"]
    alert, end = [mail.message for mail in smtp_sink.messages if mail.recipients == IT]
    assert "Outage since: " in alert.get_content()
    text = end.get_content()
    suspensions = courier.run_state("acme").suspensions
    assert f"Suspensions: {suspensions}" in text
    assert f"Files that waited: {len(ids)}, of which 1 is delivered" in text
    assert "Connection refused" in text
    digested = [mail for mail in smtp_sink.messages if mail.recipients != IT]
    assert digested[0].message["Subject"] == "FTP Suspension Digest: 1 account"
    stored = courier.core.database["alerts"].distinct("_id")
    expected = {f"acme:{number}" for number in range(1, suspensions + 1)}
    assert expected | {f"acme:{suspensions}:recovery"} <= {*stored}


def test_without_the_wish_the_end_of_an_outage_is_not_told(
    courier: Platform, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    customer.stop()
    with running(courier):
        (recording_id,) = courier.publish_many("acme", NAMES[:1])
        courier.wait_state("acme", State.SUSPENDED)
        customer.start()
        courier.wait_status(recording_id, "delivered")
        courier.wait_state("acme", State.ACTIVE)
    assert set(mails(smtp_sink)) <= {"FTP Suspension Alert"}
    assert not list(courier.core.database["alerts"].find({"kind": "recovery"}))
    assert [each for each in told(courier) if not each[1]] == []


def test_files_that_an_outage_had_given_up_are_told_of_as_returning(
    make_courier: MakeCourier, tmp_path: Path, smtp_sink: SmtpSink
) -> None:
    courier = make_courier(retry_delays=(0.0,), max_tries=1, suspend_after=3, suspend_seconds=0.3)
    root = tmp_path / "ftp"
    root.mkdir()
    handler = type("Quick", (FTPHandler,), {"auth_failed_timeout": 0})
    ftp = PyFtpServer(root, handler=handler)
    wishes: dict[str, Any] = {"email_alerts": IT, "recovery_email": True}
    courier.account("acme", ftp.customer, Protocol.FTP, password="wrong", **wishes)
    with ftp, running(courier):
        ids = courier.publish_many("acme", NAMES)
        courier.wait_routed(ids)
        courier.wait_state("acme", State.SUSPENDED)
        courier.save("acme", ftp.customer, Protocol.FTP, **wishes)
        for recording_id in ids:
            courier.wait_status(recording_id, "delivered")
        until(lambda: "FTP Suspension Ended" in mails(smtp_sink), "the e-mail of the end")
        courier.account_for("acme", root)
    (end,) = [
        mail.message.get_content()
        for mail in smtp_sink.messages
        if mail.message["Subject"] == "FTP Suspension Ended"
    ]
    assert "Files that waited: 3" in end or "Files that waited: 4" in end
    assert "Files that return: " in end
