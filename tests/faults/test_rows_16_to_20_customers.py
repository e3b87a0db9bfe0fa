"""The customer's server is down, refuses the password or a name, stops reading, loses an answer."""

import time

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer, SmtpSink
from tests.contract.proxy import Proxy
from tests.faults.accounting import files_below
from tests.faults.conftest import MakeScene, Tell
from tests.faults.scene import Scene, wait
from tests.integration.platform import until
from tests.servers.misbehaving import Mood

IT = ("it@customer.example",)


def test_row_16_a_server_down_for_hours_loses_nothing_and_its_oldest_file_is_the_probe(
    make_scene: MakeScene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    ground = make_scene(suspend_seconds=1.0)
    ground.customer("acme", customer.customer, Protocol.SFTP, email_alerts=IT)
    customer.stop()
    ground.start()
    ids = ground.publish("acme", 12)
    until(lambda: ground.platform.run_state("acme").suspensions >= 5, "five suspensions")
    rows = ground.rows()
    assert {row["status"] for row in rows.values()} <= {"queued", "uploading"}
    tried = [name for name in ids if rows[name]["starts"] > rows[name]["tries"]]
    assert tried == ids[:1], "only the oldest was a probe"
    customer.start()
    ground.wait_delivered()
    ground.account_for_all()
    assert mood.renamed[0] == ids[0]
    tell("5 suspensions, probes with the oldest file only, no dead letter, 12 delivered after")


@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_row_17_a_wrong_password_suspends_and_is_tried_rarely(
    make_scene: MakeScene,
    asyncssh_server: AsyncSshServer,
    prompt_ftp: PyFtpServer,
    smtp_sink: SmtpSink,
    tell: Tell,
    protocol: Protocol,
) -> None:
    period = 2.0  # stands for the 15 minutes of production: 4 an hour
    ground = make_scene(suspend_seconds=period)
    server = asyncssh_server if protocol is Protocol.SFTP else prompt_ftp
    ground.customer("acme", server.customer, protocol, password="wrong", email_alerts=IT)
    ground.start()
    ground.publish("acme", 12)
    first = ground.platform.wait_state("acme", "suspended").failures
    began = time.monotonic()
    until(lambda: ground.platform.run_state("acme").failures > first + 2, "probes")
    run = ground.platform.run_state("acme")
    logins = asyncssh_server.logins
    periods = (time.monotonic() - began) / period
    assert first < run.failures <= first + periods + 1
    if protocol is Protocol.SFTP:
        assert logins <= 1 + periods + 1
    assert run.last_error is not None
    assert run.last_error.kind == "account"
    assert "password" in run.last_error.advice.lower()
    mail = smtp_sink.wait_for(1)[0].message
    assert run.last_error.words in mail.get_content()
    rows = ground.rows().values()
    assert {row["status"] for row in rows} <= {"queued", "uploading"}
    ground.platform.save("acme", server.customer, protocol, path="acme")
    ground.wait_delivered()
    ground.account_for_all()
    if protocol is Protocol.SFTP:
        tell(f"{run.failures} failures and {logins} logins in {periods:.0f} periods of suspension")
    tell("delivered with the right password")


def test_row_18_one_poison_file_dies_at_its_fifth_try_and_the_others_flow(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    ids = [*ground.publish("acme", 3)]
    mood.refused_names.add(ids[1])
    ground.start()
    ids += ground.publish("acme", 9)
    row = ground.platform.wait_status(ids[1], "dead_lettered")
    ground.wait_delivered(*(name for name in ids if name != ids[1]))
    ground.account_for_all()
    run = ground.platform.run_state("acme")
    assert row["tries"] == 5
    assert (run.state, run.suspensions) == ("active", 0)
    tell("dead letter after 5 tries, 11 others delivered, never suspended")


@pytest.mark.parametrize("protocol", [Protocol.SFTP, Protocol.FTP])
def test_row_19_a_server_that_stops_reading_is_left_and_nothing_is_kept_open(
    make_scene: MakeScene,
    asyncssh_server: AsyncSshServer,
    pyftpd_server: PyFtpServer,
    tell: Tell,
    protocol: Protocol,
) -> None:
    ground = make_scene(suspend_after=3)
    server = asyncssh_server if protocol is Protocol.SFTP else pyftpd_server
    worker = ground.start(limits={"stall": 1.0, "reply": 1.0, "login": 1.0})
    ground.customer("acme", server.customer, protocol)
    ground.publish("acme")
    ground.wait_delivered()
    wait(5)  # the session has lingered and closed
    before = worker.held()
    with Proxy(server.customer, freeze_after=300_000) as proxy:
        ground.platform.save("acme", server.customer, protocol, path="acme", port=proxy.port)
        ground.publish("acme", 2, size=30_000_000)
        run = ground.platform.wait_state("acme", "suspended")
        assert run.last_error is not None
        assert "silent for" in run.last_error.words
        until(lambda: held_at_most(worker.held(), before), lambda: f"{worker.held()}: {before}")
    ground.platform.save("acme", server.customer, protocol, path="acme")
    ground.wait_delivered()
    ground.account_for_all()
    tell(
        "stalled in mid-file, then at two logins, cut at the limit;"
        f" threads and descriptors as before ({before[0]}, {before[1]})"
    )


def held_at_most(now: tuple[int, int], before: tuple[int, int]) -> bool:
    return now[0] <= before[0] + 1 and now[1] <= before[1] + 1  # one more thread of a pool


def test_row_20_a_lost_226_is_recognised_by_the_size(
    ground: Scene, pyftpd_server: PyFtpServer, tell: Tell
) -> None:
    ground.customer("acme", pyftpd_server.customer, Protocol.FTP)
    with Proxy(pyftpd_server.customer, lose=b"226") as proxy:
        ground.platform.save(
            "acme", pyftpd_server.customer, Protocol.FTP, path="acme", port=proxy.port
        )
        ground.start()
        (recording,) = ground.publish("acme")
        ground.wait_delivered()
        assert proxy._lose is None, "no 226 was lost"
        ground.account_for_all()
    assert len(files_below(pyftpd_server.customer.root)) == 1
    tell(f"delivered once, tries {ground.platform.row(recording)['tries']}")
