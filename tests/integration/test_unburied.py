"""A dead letter that RabbitMQ does not take: shown, and no reason to try the server on and on."""

from collections import Counter

import pytest

from consumers.delivery import dead_letters, outcome
from consumers.delivery.policy import State
from tests.integration.faked import Places
from tests.integration.platform import MakeCourier, Platform, in_short, running, until
from tests.servers.fake import Place
from transports.errors import NameRefused, PathRefused

FOREIGN = {"x-max-length": 7}


def declare_otherwise(courier: Platform) -> None:
    with courier._channel() as channel:
        channel.queue_declare("dead-letters.acme", durable=True, arguments=FOREIGN)


def delete(courier: Platform) -> None:
    with courier._channel() as channel:
        channel.queue_delete("dead-letters.acme")


def refusing(error: type[NameRefused | PathRefused]) -> tuple[Place, Counter[str]]:
    """A place that refuses each recording whose put comes first, and how often that was asked."""
    calls: Counter[str] = Counter()

    def fails(step: str, _path: str) -> None:
        calls[step] += 1
        if step == "put":
            raise error("550 No")

    return Place(fails), calls


def shown(courier: Platform) -> str:
    error = courier.run_state("acme").last_error
    return "" if error is None else f"{error.kind}: {error.words}"


def test_an_account_fails_on_until_it_is_suspended(
    make_courier: MakeCourier, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "UNBURIED_SECONDS", 0.1)
    courier = make_courier(retry_delays=(0.0,), max_tries=2, suspend_after=4)
    declare_otherwise(courier)
    place, calls = refusing(PathRefused)
    places.account(courier, "acme", place)
    with running(courier):
        (waits,) = courier.publish_many("acme", ["a.wav"])
        courier.wait_state("acme", State.SUSPENDED)
        assert "inequivalent arg" in shown(courier)
    assert courier.run_state("acme").failures == 4
    assert calls["put"] <= 4 + 2  # the last two may ask whether the server takes a test file
    row = courier.row(waits)
    assert (row["status"], row["tries"]) == ("queued", 1), in_short(row)


def test_a_file_alone_waits_for_it_and_suspends_nobody(
    make_courier: MakeCourier, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outcome, "UNBURIED_SECONDS", 0.1)
    courier = make_courier(retry_delays=(0.0,), max_tries=2, suspend_after=3)
    declare_otherwise(courier)
    place, calls = refusing(NameRefused)
    places.account(courier, "acme", place)
    with running(courier):
        (waits,) = courier.publish_many("acme", ["a.wav"])
        until(lambda: calls["put"] > 5, "several tries")
        until(lambda: "ours: RabbitMQ refuses: dead-letters.acme" in shown(courier), "the words")
        run = courier.run_state("acme")
        assert (run.state, run.failures) == (State.ACTIVE, 1)
        delete(courier)
        row = courier.wait_status(waits, "dead_lettered")
        assert (row["tries"], row["reason"]) == (2, "file")
        courier.wait_length("dead-letters.acme", 1)
        until(lambda: "ours" not in shown(courier), lambda: f"no more of {shown(courier)}")


def test_as_the_probe_it_lets_the_next_one_be_it(make_courier: MakeCourier, places: Places) -> None:
    courier = make_courier(retry_delays=(0.0,), max_tries=3, suspend_after=2, suspend_seconds=0.5)
    declare_otherwise(courier)
    poison = True

    def fails(step: str, _path: str) -> None:
        if step == "rename" and poison and _path.endswith("poison.wav"):
            raise NameRefused("553 No")

    places.account(courier, "acme", Place(fails))
    with running(courier):
        (waits,) = courier.publish_many("acme", ["poison.wav"])
        until(lambda: courier.row(waits).get("tries") == 2, "two tries")
        (other,) = courier.publish_many("acme", ["other.wav"])
        courier.wait_status(other, "delivered")
        run = courier.wait_state("acme", State.ACTIVE)
        assert run.server_error is None
        assert courier.row(waits)["status"] in {"queued", "uploading"}
        poison = False


def test_a_crash_loop_waits_for_it_and_the_accounts_others_go_on(
    make_courier: MakeCourier, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "UNBURIED_SECONDS", 0.1)
    monkeypatch.setattr("consumers.delivery.worker.UNBURIED_SECONDS", 0.1)
    courier = make_courier()
    declare_otherwise(courier)
    places.account(courier, "acme", Place())
    courier.core.ledger.accounts.pause("acme")
    with running(courier):
        poison, other = courier.publish_many("acme", ["poison.wav", "other.wav"])
        courier.wait_routed([poison, other])
        lost = {"starts": 5, "alone": 5}
        courier.core.database["deliveries"].update_one({"_id": poison}, {"$set": {"lost": lost}})
        courier.core.ledger.accounts.resume("acme")
        courier.wait_status(other, "delivered")
        until(lambda: "inequivalent arg" in shown(courier), "the words")
        row = courier.row(poison)
        assert (row["status"], row["starts"]) == ("queued", 0), in_short(row)
        delete(courier)
        row = courier.wait_status(poison, "dead_lettered")
        assert (row["reason"], row["starts"]) == ("crash-loop", 0), in_short(row)
        courier.wait_length("dead-letters.acme", 1)
        until(lambda: "ours" not in shown(courier), lambda: f"no more of {shown(courier)}")
