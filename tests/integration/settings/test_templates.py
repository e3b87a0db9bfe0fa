"""Templates of folders and names, from the event to the place at the customer."""

from collections.abc import Sequence
from typing import Any

import pytest

from config.accounts import ExistingFile, Protocol
from consumers.delivery.naming import Naming
from consumers.ledger import Claim, Claimant, Note
from consumers.ledger.remote_paths import RemotePaths
from deploy.local.customers import AsyncSshServer
from tests.integration.ledger.rows import claim_one
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers import Sshd, Vsftpd
from transports.job import Intent

TEMPLATES: dict[str, Any] = {
    "path": "in",
    "folder_template": "{date:%Y-%m}/{number}",
    "name_template": "{date:%H%M}-{direction}{extension}",
    "time_zone": "Europe/Berlin",
}
CALL = {"number": "+441632960001", "recorded_at": "2026-11-30T23:05:00Z", "direction": "inbound"}
PLACE = "in/2026-12/+441632960001/0005-inbound"


def publish_calls(courier: Platform, count: int, **fields: Any) -> list[str]:
    """Recordings of names of their own."""
    return [
        courier.publish("acme", courier.recording(f"{number}.wav"), **{**CALL, **fields})
        for number in range(count)
    ]


def behind_a_pause(courier: Platform, count: int, **fields: Any) -> list[str]:
    """The same; they wait in the queue together until the account may go on."""
    courier.core.ledger.accounts.pause("acme")
    ids = publish_calls(courier, count, **fields)
    courier.wait_routed(ids)
    courier.core.ledger.accounts.resume("acme")
    return ids


def paths_of(courier: Platform, ids: Sequence[str]) -> list[str]:
    """Where they stand, once all are delivered."""
    return [courier.wait_status(each, "delivered")["remote_path"] for each in ids]


@pytest.mark.parametrize("server", ["sshd", "vsftpd"])
def test_recordings_of_one_templated_name_all_stand_there_under_numbers(
    courier: Platform, server: str, request: pytest.FixtureRequest
) -> None:
    there: Sshd | Vsftpd = request.getfixturevalue(server)
    protocol = Protocol.SFTP if server == "sshd" else Protocol.FTP
    courier.account("acme", there.customer, protocol, **TEMPLATES)
    with running(courier):
        found = paths_of(courier, behind_a_pause(courier, 5))
        courier.account_for("acme", there.root)
    expected = {f"{PLACE}.wav"} | {f"{PLACE} ({number}).wav" for number in (2, 3, 4, 5)}
    assert set(found) == expected


def test_with_overwriting_the_last_recording_of_a_templated_name_stands_there(
    courier: Platform, customer: AsyncSshServer
) -> None:
    overwrite = {**TEMPLATES, "existing_file": ExistingFile.OVERWRITE}
    courier.account("acme", customer.customer, Protocol.SFTP, **overwrite)
    with running(courier):
        ids = behind_a_pause(courier, 4)
        for each in ids:
            courier.wait_status(each, "delivered")
    assert [courier.row(each).get("remote_path") for each in ids] == [None] * 3 + [f"{PLACE}.wav"]
    assert (customer.root / f"{PLACE}.wav").read_bytes() == courier._published[ids[-1]]
    assert [courier.row(each)["tries"] for each in ids] == [0] * 4


def test_many_recordings_go_to_folders_of_their_own_in_flights(
    courier: Platform, customer: AsyncSshServer
) -> None:
    by_name: dict[str, Any] = {"folder_template": "{date:%Y/%m/%d}/{stem}", "in_flight": "folder"}
    courier.account("acme", customer.customer, Protocol.SFTP, **by_name)
    with running(courier):
        found = paths_of(courier, behind_a_pause(courier, 40))
        courier.account_for("acme", customer.root)
    assert found == [f"2026/11/30/{number}/{number}.wav" for number in range(40)]


def test_each_recording_has_a_number_of_its_own_that_it_keeps(
    make_courier: MakeCourier, customer: AsyncSshServer
) -> None:
    courier = make_courier(retry_delays=(0.0,))
    counted: dict[str, Any] = {"name_template": "{counter:4}{extension}"}
    courier.account("acme", customer.customer, Protocol.SFTP, **counted)
    with running(courier):
        ids = behind_a_pause(courier, 20)
        found = paths_of(courier, ids)
        courier.account_for("acme", customer.root)
    assert sorted(found) == [f"{number:04}.wav" for number in range(1, 21)]
    rows = [courier.row(each) for each in ids]
    assert [f"{row['counter']:04}.wav" for row in rows] == found


def test_an_account_that_is_removed_before_its_numbers_are_given_is_no_fault_of_the_program(
    make_courier: MakeCourier,
    customer: AsyncSshServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    courier = make_courier()
    courier.account("acme", customer.customer, Protocol.SFTP, name_template="{counter}{extension}")
    asked: list[str] = []
    give = RemotePaths.give_numbers

    def removed_first(self: RemotePaths, account_id: str, count: int) -> int:
        asked.append(account_id)
        courier.core.database["accounts"].delete_one({"_id": account_id})
        return give(self, account_id, count)

    monkeypatch.setattr(RemotePaths, "give_numbers", removed_first)
    with running(courier):
        (recording_id,) = publish_calls(courier, 1)
        until(lambda: asked, "the numbers to be asked for")
        until(lambda: courier.row(recording_id)["status"] != "uploading", "the file to be let go")
    assert "program" not in capsys.readouterr().out


ME = Claimant("worker-1", "session-1", 1)


def claimed(courier: Platform, recording_id: str, claimant: Claimant = ME) -> Claim:
    """A start of the recording, by a worker that is about to die."""
    generation = courier.row(recording_id)["turn"]
    claim = claim_one(courier.core.ledger, recording_id, generation, claimant, "in")
    assert claim is not None
    return claim


def die(courier: Platform, claim: Claim) -> None:
    """The claim's session is gone; its worker lives."""
    assert claim.session == ME.session
    courier.core.ledger.claims.free("acme", Claimant(ME.worker, "next session", 1))


def waiting(courier: Platform, **fields: Any) -> str:
    """A recording in the queue of the paused account."""
    courier.core.ledger.accounts.pause("acme")
    (recording_id,) = publish_calls(courier, 1, **fields)
    courier.wait_routed([recording_id])
    courier.wait_rest("acme")
    return recording_id


@pytest.mark.parametrize("convention", ["suffix", "dot", "folder"])
def test_what_was_renamed_before_a_crash_is_found_though_the_templates_have_changed(
    courier: Platform, customer: AsyncSshServer, convention: str
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, **TEMPLATES)
    ledger = courier.core.ledger
    with running(courier):
        recording_id = waiting(courier)
        content = courier._published[recording_id] or b""
        claim = claimed(courier, recording_id)
        settings = courier.core.directory.get("acme").settings
        assert settings is not None
        place = Naming(settings).place(claim.facts, claim.body, claim.part)
        intent = Intent(place.part_path, place.path, len(content), "")
        assert ledger.remote_paths.note([(claim, Note(place.part_path, None))]) == {recording_id}
        assert ledger.remote_paths.intend(claim, intent, place.folder, 1)
        (customer.root / place.folder).mkdir(parents=True)
        (customer.root / place.path).write_bytes(content)
        die(courier, claim)
        changed = {"path": "other", "name_template": "new-{name}", "in_flight": convention}
        courier.save("acme", customer.customer, Protocol.SFTP, **changed)
        ledger.accounts.resume("acme")
        row = courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)
    assert row["remote_path"] == f"{PLACE}.wav"


@pytest.mark.parametrize("convention", ["suffix", "dot", "folder"])
def test_what_a_crash_has_left_half_is_removed_though_the_templates_have_changed(
    courier: Platform, customer: AsyncSshServer, convention: str
) -> None:
    before = {**TEMPLATES, "in_flight": convention}
    courier.account("acme", customer.customer, Protocol.SFTP, **before)
    ledger = courier.core.ledger
    with running(courier):
        recording_id = waiting(courier)
        claim = claimed(courier, recording_id)
        settings = courier.core.directory.get("acme").settings
        assert settings is not None
        part = Naming(settings).place(claim.facts, claim.body, claim.part).part_path
        assert ledger.remote_paths.note([(claim, Note(part, None))]) == {recording_id}
        (customer.root / part).parent.mkdir(parents=True)
        (customer.root / part).write_bytes(b"half")
        die(courier, claim)
        courier.save("acme", customer.customer, Protocol.SFTP, name_template="{name}")
        ledger.accounts.resume("acme")
        courier.wait_status(recording_id, "delivered")
        courier.account_for("acme", customer.root)


@pytest.mark.parametrize("convention", ["suffix", "dot", "folder"])
def test_what_a_given_up_recording_has_left_is_removed_by_each_convention(
    courier: Platform, customer: AsyncSshServer, convention: str
) -> None:
    courier.account(
        "acme", customer.customer, Protocol.SFTP, **{**TEMPLATES, "in_flight": convention}
    )
    with running(courier):
        recording_id = waiting(courier)
        claim = claimed(courier, recording_id)
        settings = courier.core.directory.get("acme").settings
        assert settings is not None
        part = Naming(settings).place(claim.facts, claim.body, claim.part).part_path
        courier.core.ledger.remote_paths.note([(claim, Note(part, None))])
        (customer.root / part).parent.mkdir(parents=True)
        (customer.root / part).write_bytes(b"half")
        given_up = {"status": "discarded", "claim": None}
        courier.core.database["deliveries"].update_one({"_id": recording_id}, {"$set": given_up})
        courier.core.ledger.accounts.resume("acme")
        until(lambda: not (customer.root / part).exists(), "the half file to be removed")
        until(lambda: not courier.row(recording_id)["parts"], "that to be written down")


def test_a_note_of_a_claim_that_is_lost_changes_nothing(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    with running(courier):
        recording_id = waiting(courier)
        claim = claimed(courier, recording_id)
        die(courier, claim)
        mine = claimed(courier, recording_id, Claimant("worker-1", "session-2", 1))
        assert courier.core.ledger.remote_paths.note([(claim, Note("in/old", 7))]) == set()
        assert courier.core.ledger.remote_paths.note([(mine, Note("in/new", 8))]) == {recording_id}
    row = courier.row(recording_id)
    assert row["counter"] == 8
    assert [part.get("path") for part in row["parts"]] == [None, "in/new"]


def test_numbers_are_given_once_and_never_again(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP)
    paths = courier.core.ledger.remote_paths
    assert [paths.give_numbers("acme", count) for count in (1, 16, 3)] == [1, 2, 18]
    courier.save("acme", customer.customer, Protocol.SFTP, name_template="{counter}")
    assert paths.give_numbers("acme", 1) == 21


def test_without_templates_nothing_of_a_name_has_changed(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, path="in")
    with running(courier):
        (recording_id,) = publish_calls(courier, 1)
        row = courier.wait_status(recording_id, "delivered")
    assert row["remote_path"] == "in/0.wav"
    assert "counter" not in row
    assert [path.name for path in (customer.root / "in").iterdir()] == ["0.wav"]
