"""What cut tries have left of a file that is not tried again goes, though its account is quiet."""

import threading
from pathlib import Path

from pyftpdlib.handlers import FTPHandler

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.integration.platform import MakeCourier, Platform, running, until


def left_behind(courier: Platform, root: Path) -> Path:
    """The half file of a recording that was given up: its account has no other one."""
    courier.core.ledger.accounts.pause("acme")
    (given_up,) = courier.publish_many("acme", ["given-up.wav"])
    courier.wait_routed([given_up])
    left = {"status": "discarded", "parts": [{"start": 1, "folder": "in"}]}
    courier.core.database["deliveries"].update_one({"_id": given_up}, {"$set": left})
    ((_, (path,)),) = courier.core.ledger.outcomes.leftovers("acme")
    part = root / path
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"half")
    return part


def test_they_are_removed_over_a_login_of_their_own(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier()
    courier.account("acme", customer.customer, Protocol.SFTP, path="in")
    with running(courier):
        part = left_behind(courier, customer.root)
        courier.core.ledger.accounts.resume("acme")
        until(lambda: not part.exists(), "the half file to be removed")
        until(lambda: not courier.core.ledger.outcomes.leftovers("acme"), "that to be written down")


def test_a_server_that_is_away_meanwhile_is_no_failure_of_the_account(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier()
    courier.account("acme", customer.customer, Protocol.SFTP, path="in")
    with running(courier):
        part = left_behind(courier, customer.root)
        customer.stop()
        courier.core.ledger.accounts.resume("acme")
        courier.wait_rest("acme")
        run = courier.run_state("acme")
    assert part.exists()
    assert (run.failures, run.last_error) == (0, None)


def test_a_login_that_is_refused_meanwhile_is_asked_for_by_no_file_for_a_while(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier()
    courier.account("acme", customer.customer, Protocol.SFTP, path="in", password="wrong")
    with running(courier):
        left_behind(courier, customer.root)
        courier.core.ledger.accounts.resume("acme")
        until(lambda: courier.run_state("acme").known_refusal, "the refusal to be remembered")
        assert courier.run_state("acme").failures == 0
        courier.publish_many("acme", ["call.wav"])
        until(lambda: courier.run_state("acme").failures, "the file to fail by it")
    assert customer.logins == 1


def cutting_renames(is_well: threading.Event) -> type[FTPHandler]:
    """Hangs up in the place of a rename, as long as it is not well."""

    class Cutting(FTPHandler):  # type: ignore[misc]
        def ftp_RNTO(self, path: str) -> None:
            if is_well.is_set():
                super().ftp_RNTO(path)
            else:
                self.close()

    return Cutting


def test_a_file_whose_renames_were_all_cut_leaves_nothing_once_the_server_is_well(
    make_courier: MakeCourier, tmp_path: Path
) -> None:
    is_well, root = threading.Event(), tmp_path / "served"
    root.mkdir()
    courier = make_courier(suspend_after=100, retry_delays=(0.0,), replay_after_outage=False)
    with PyFtpServer(root, handler=cutting_renames(is_well)) as server, running(courier):
        courier.account("acme", server.customer, Protocol.FTP)
        (cut,) = courier.publish_many("acme", ["cut.wav"])
        row = courier.wait_status(cut, "dead_lettered")
        assert [path.suffix for path in root.iterdir()] == [".part"]
        assert row["intent"]["final"] == "cut.wav"

        is_well.set()
        (well,) = courier.publish_many("acme", ["well.wav"])
        courier.wait_status(well, "delivered")

        until(lambda: not courier.row(cut)["parts"], "the half file's end to be written down")
        assert [path.name for path in root.iterdir()] == ["well.wav"]
        assert not {"intent", "remote_path"} & set(courier.row(cut))
