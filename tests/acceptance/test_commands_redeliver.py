"""`courier deliveries redeliver`: what was delivered goes once more, each file once."""

from pathlib import Path
from typing import Any

import pytest

from config.audit import Audit
from deploy.local.customers import PyFtpServer
from tests.acceptance.program import Program
from tests.acceptance.stage import Stage
from tests.acceptance.terminal import on_terminal
from tests.integration.platform import until

AGAIN = ("deliveries", "redeliver", "--account", "acme", "--since", "1h")


def delivered(courier: Program, names: list[str]) -> None:
    """Recordings of these names, each at the customer."""
    for name in names:
        (courier.folder / name).write_bytes(name.encode() * 100)
    courier.ok("publish", *names, "--account", "acme", "--wait", "--timeout", "100")


def at_the_customer(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.iterdir()}


def all_delivered(stage: Stage) -> bool:
    rows = stage.core.database["deliveries"]
    return rows.count_documents({"status": {"$ne": "delivered"}}) == 0


def overwriting(stage: Stage) -> None:
    changed = {"$set": {"settings.existing_file": "overwrite"}}
    stage.core.database["accounts"].update_one({"_id": "acme"}, changed)


@pytest.mark.parametrize("overwrites", [False, True])
def test_delivered_recordings_arrive_once_more_by_the_accounts_rule(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer, *, overwrites: bool
) -> None:
    stage.account(pyftpd_server.customer)
    if overwrites:
        overwriting(stage)
    root = pyftpd_server.customer.root
    with courier.running():
        delivered(courier, ["a.wav", "b.wav"])
        (root / "a.wav").write_bytes(b"what the customer has made of it")
        assert courier.ok(*AGAIN, "--yes").out == "2 files on the way again.\n"
        until(lambda: all_delivered(stage), "both to arrive once more")
        content = {name: name.encode() * 100 for name in ("a.wav", "b.wav")}
        if overwrites:
            assert at_the_customer(root) == content
        else:
            mine = {"a.wav": b"what the customer has made of it", "b.wav": content["b.wav"]}
            copies = {"a (2).wav": content["a.wav"], "b (2).wav": content["b.wav"]}
            assert at_the_customer(root) == {**mine, **copies}

        before = at_the_customer(root)
        said = courier.ok(*AGAIN, "--yes")
        assert said.out == "0 files on the way again.\n"
        assert "2 files redelivered before: left out; --again sends them too." in said.err
        assert at_the_customer(root) == before
    [entry] = [each for each in Audit(stage.core.database).list() if "redelivered" in each.action]
    assert (entry.account_id, entry.after["count"]) == ("acme", 2)


def test_a_recording_whose_source_is_gone_is_told_and_left_as_it_is(
    courier: Program, stage: Stage, pyftpd_server: PyFtpServer
) -> None:
    stage.account(pyftpd_server.customer)
    with courier.running():
        delivered(courier, ["a.wav", "gone.wav"])
        (courier.folder / "gone.wav").unlink()
        answer = courier.ok(*AGAIN, "--yes", "--json")
        until(lambda: all_delivered(stage), "the other one to arrive")
    assert len(answer.json["redelivered"]) == len(answer.json["source_gone"]) == 1
    assert "gone.wav)." in answer.err
    assert answer.json["source_gone"][0] in answer.err
    root = pyftpd_server.customer.root
    assert set(at_the_customer(root)) == {"a.wav", "a (2).wav", "gone.wav"}
    shown: dict[str, Any] = courier.inside(
        "deliveries", "show", answer.json["source_gone"][0], "--json"
    ).json
    assert shown["status"] == "delivered"


def many(stage: Stage, courier: Program, count: int) -> None:
    """So many recordings that were delivered; nothing of them is at the customer."""
    (courier.folder / "call.wav").write_bytes(b"x")
    for number in range(count):
        stage.queued(f"r{number}")
    stage.core.database["deliveries"].update_many(
        {},
        [
            {
                "$set": {
                    "status": "delivered",
                    "delivered_at": "$$NOW",
                    "file_url": (courier.folder / "call.wav").as_uri(),
                }
            }
        ],
    )


def test_above_100_files_it_is_asked_for_twice(courier: Program, stage: Stage) -> None:
    stage.core.directory.create("acme")
    many(stage, courier, 101)
    assert "by --yes" in courier.refuses(*AGAIN)
    assert "by --files 101 besides --yes" in courier.refuses(*AGAIN, "--yes")
    assert "not 100: nothing was sent" in courier.refuses(*AGAIN, "--yes", "--files", "100")
    with on_terminal(courier, *AGAIN) as terminal:
        terminal.until("Send 101 files of acme again?")
        terminal.type("y")
        terminal.until("Type their number")
        terminal.type("100")
        assert terminal.end() == 1
    assert "That is not 101: nothing was sent." in terminal.text
    assert stage.status("r0") == "delivered"
    with on_terminal(courier, *AGAIN) as terminal:
        terminal.until("Send 101 files of acme again?")
        terminal.type("y")
        terminal.until("Type their number")
        terminal.type("101")
        assert terminal.end() == 0
    assert "101 files on the way again." in terminal.text
    assert stage.status("r0") == "queued"


def test_one_request_that_two_people_confirm_at_once_sends_each_file_once(
    courier: Program, stage: Stage
) -> None:
    stage.core.directory.create("acme")
    many(stage, courier, 1)
    redelivery = stage.messaging.redelivery
    assert redelivery.again("r0", 0)
    stage.core.database["deliveries"].update_one({"_id": "r0"}, {"$set": {"status": "delivered"}})
    assert not redelivery.again("r0", 0)
    assert redelivery.again("r0", 1)
    assert "'nobody'" in courier.refuses(
        "deliveries", "redeliver", "--account", "nobody", "--since", "1h"
    )
