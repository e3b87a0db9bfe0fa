"""A worker is frozen under a large flight until another one has its account; then it wakes."""

import pytest

from config.accounts import Protocol
from deploy.local.customers import AsyncSshServer, PyFtpServer
from tests.faults.accounting import files_below
from tests.faults.aloft import (
    DELIVERED,
    INTEND,
    QUEUES,
    amid,
    assert_halved,
    flier,
    flights_of,
    wait_aloft,
)
from tests.faults.conftest import Tell
from tests.faults.scene import Scene, Worker, wait
from tests.integration.platform import until
from tests.servers import Vsftpd
from tests.servers.misbehaving import Mood

MOMENTS = {
    "before the intents": INTEND,
    "before the renames": "transports.sftp.server:SftpServer._ask_to_rename",
    "before the ledger": DELIVERED,
}
"""Where it is frozen: in the second case when it has the permission to rename already."""


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param("before the intents", marks=pytest.mark.slow),
        "before the renames",
        pytest.param("before the ledger", marks=pytest.mark.slow),
    ],
)
def test_row_43_frozen_there_over_sftp_and_woken_it_doubles_and_overwrites_nothing(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell, moment: str
) -> None:
    ground.customer("acme", customer.customer, Protocol.SFTP)
    frozen = flier(ground, ground.point(MOMENTS[moment], "before", frozen=True, about=amid()))
    ids = wait_aloft(ground, frozen)
    frozen.wait_frozen()
    another_takes_over(ground, ids, frozen)
    assert sorted(mood.renamed) == sorted(ids)
    tell("SFTP: frozen with 16 aloft before intents, renames, ledger: each once, epochs in order")


@pytest.mark.slow
def test_row_43_frozen_over_ftp_with_a_pack_of_renames_permitted_it_renames_nothing_any_more(
    ground: Scene, vsftpd: Vsftpd, tell: Tell
) -> None:
    ground.customer("acme", vsftpd.customer, Protocol.FTP, capabilities=QUEUES)
    point = ground.point(
        "transports.ftp.server:FtpServer._rename_all", "before", frozen=True, about=amid()
    )
    frozen = flier(ground, point)
    ids = wait_aloft(ground, frozen)
    frozen.wait_frozen()
    another_takes_over(ground, ids, frozen)
    tell("FTP: frozen before and between its renames: the same")


@pytest.mark.slow
def test_row_43_frozen_over_ftp_between_two_renames_of_a_flight_it_renames_nothing_any_more(
    ground: Scene, pyftpd_server: PyFtpServer, tell: Tell
) -> None:
    ground.customer("acme", pyftpd_server.customer, Protocol.FTP)
    point = ground.point(
        "transports.ftp.server:FtpServer.rename", "before", frozen=True, about=amid()
    )
    frozen = flier(ground, point)
    ids = wait_aloft(ground, frozen)
    frozen.wait_frozen()
    another_takes_over(ground, ids, frozen)
    tell("FTP: frozen before and between its renames: the same")


@pytest.mark.slow
def test_row_43_renames_that_the_server_does_late_double_nothing_of_the_one_that_took_over(
    ground: Scene, customer: AsyncSshServer, mood: Mood, tell: Tell
) -> None:
    """Half of the pack is renamed when its worker is frozen; the rest is done after the others
    have sent those files anew."""
    ground.customer("acme", customer.customer, Protocol.SFTP)
    late = {f"acme-{number:05}.wav" for number in range(10, 18)}
    mood.held_names |= late
    frozen = flier(ground)
    ids = wait_aloft(ground, frozen)
    until(lambda: len(mood.renamed) >= len(ids) - len(late), "the others to be renamed")
    frozen.freeze()
    first = ground.owner("acme")
    flier(ground).start()
    ground.wait_owned("acme", not_by=first)
    until(lambda: len(mood.uploads) > len(ids), "one of them to be sent anew")
    mood.held_names.clear()
    ground.wait_delivered()
    stays_as_it_is(ground, ids, frozen)
    assert sorted(mood.renamed) == sorted(ids)
    tell("renames that the server did after the takeover: none doubled, none overwritten")


def another_takes_over(ground: Scene, ids: list[str], frozen: Worker) -> None:
    """It brings all to their places; the first one wakes when that is done."""
    first = ground.owner("acme")
    flier(ground).start()
    ground.wait_owned("acme", not_by=first)
    ground.wait_delivered()
    stays_as_it_is(ground, ids, frozen)
    assert len(flights_of(ground, amid())[0].files) == 16


def stays_as_it_is(ground: Scene, ids: list[str], frozen: Worker) -> None:
    """The worker wakes, and changes nothing of the files."""
    folder = ground.accounts["acme"].folder
    before = {name: ground.platform.row(name) for name in ids}
    stands = written(ground)
    frozen.wake()
    wait(2)
    ground.wait_clean()
    assert {name: ground.platform.row(name) for name in ids} == before
    assert written(ground) == stands, f"written anew in {folder}"
    assert {row["tries"] for row in before.values()} == {0}
    until(lambda: ground.platform.run_state("acme").failures == 0, "no failure")
    ground.account_for_all()
    assert len(ground.history.owners["acme"]) == 2
    epochs = [flown.epoch for flown in ground.history.flights.values()]
    assert epochs == sorted(epochs)
    assert_halved(ground, ids)


def written(ground: Scene) -> dict[str, tuple[int, int]]:
    """Tells one writing of the files at the customer from another."""
    found = files_below(ground.accounts["acme"].folder)
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}
