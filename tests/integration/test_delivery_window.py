"""An account's delivery window: outside of it files wait, and nobody is told or blamed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from config.accounts import Protocol
from consumers.delivery.policy import State
from deploy.local.customers import AsyncSshServer, SmtpSink
from tests.integration.console import serving
from tests.integration.platform import MakeCourier, Platform, running, until
from tests.servers.misbehaving import Mood
from worker.account_facts import read_account


def hours(begin: float, end: float) -> str:
    """A window from so many hours from now to so many."""
    now = datetime.now(UTC)
    first, last = (now + timedelta(hours=each) for each in (begin, end))
    return f"{first:%H:%M}-{last:%H:%M}"


CLOSED = (2, 4)
OPEN = (-2, 2)


class Doors:
    """The window, as a test has it: closed until it lets it open."""

    def __init__(self) -> None:
        self.opens_at: datetime | None = None

    def opening(self, *_: object) -> datetime | None:
        now = datetime.now(UTC)
        return self.opens_at if self.opens_at is not None and now < self.opens_at else None


@pytest.fixture
def doors(monkeypatch: pytest.MonkeyPatch) -> Doors:
    doors = Doors()
    monkeypatch.setattr("consumers.ledger.run_state.opening", doors.opening)
    return doors


@pytest.fixture
def courier(make_courier: MakeCourier) -> Iterator[Platform]:
    courier = make_courier(suspend_after=1, suspend_seconds=0.5, retry_delays=(0.0,))
    with running(courier):
        yield courier


def publish(courier: Platform, name: str) -> str:
    recording_id = courier.publish("acme", courier.recording(name))
    courier.wait_routed([recording_id])
    return recording_id


def wait_held(courier: Platform) -> None:
    """Until its session has ended, and the account waits."""
    until(lambda: courier.core.ledger.accounts.held() == ["acme"], "the account to wait")


def test_within_it_files_are_sent_as_ever(courier: Platform, customer: AsyncSshServer) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, delivery_window=hours(*OPEN))
    courier.wait_status(publish(courier, "one.wav"), "delivered")
    assert read_account(courier.core, "acme").window_opens_at is None


def test_outside_of_it_files_wait_and_the_account_says_for_what(
    courier: Platform, customer: AsyncSshServer, smtp_sink: SmtpSink
) -> None:
    window = hours(*CLOSED)
    courier.account("acme", customer.customer, Protocol.SFTP, delivery_window=window)
    ids = [publish(courier, "one.wav")]
    wait_held(courier)
    ids += [publish(courier, f"{number}.wav") for number in range(3)]
    facts = read_account(courier.core, "acme")
    assert facts.state == "active"
    assert facts.window_opens_at is not None
    assert f"{facts.window_opens_at:%H:%M}" == window[:5]
    with serving(courier) as console:
        console.user("admin", "acme")
        page = console.browser("admin").get("/accounts/acme").text
    assert "waiting for its window" in page
    assert f"{facts.window_opens_at:%Y-%m-%d} {window[:5]} (UTC)" in page
    assert [courier.row(each)["starts"] for each in ids] == [0] * 4
    assert (customer.logins, smtp_sink.messages) == (0, [])
    assert courier.core.ledger.accounts.held() == ["acme"], "arrivals do not make it due"
    courier.account_for("acme", customer.root, queued=ids)


def test_what_waits_goes_by_itself_when_it_opens(
    courier: Platform, customer: AsyncSshServer, doors: Doors
) -> None:
    doors.opens_at = datetime.now(UTC) + timedelta(hours=1)
    courier.account("acme", customer.customer, Protocol.SFTP, delivery_window="Sun")
    ids = [publish(courier, "one.wav"), publish(courier, "two.wav")]
    wait_held(courier)
    doors.opens_at = datetime.now(UTC) + timedelta(seconds=2)
    courier.core.ledger.accounts.wake("acme")  # so that it sees when that is
    for recording_id in ids:
        courier.wait_status(recording_id, "delivered")
    assert datetime.now(UTC) >= doors.opens_at
    courier.account_for("acme", customer.root)
    rows = [courier.row(recording_id) for recording_id in ids]
    assert {row["tries"] for row in rows} == {0}


def test_what_is_on_its_way_when_it_closes_ends_and_nothing_more_begins(
    courier: Platform, customer: AsyncSshServer, mood: Mood, doors: Doors
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, delivery_window="Sun")
    mood.held = True
    first = publish(courier, "first.wav")
    until(lambda: mood.open_now == 1, "the upload")
    doors.opens_at = datetime.now(UTC) + timedelta(hours=1)
    second = publish(courier, "second.wav")
    mood.held = False
    courier.wait_status(first, "delivered")
    wait_held(courier)
    courier.account_for("acme", customer.root, queued=[second])
    assert courier.row(second)["starts"] == 0


def test_a_suspended_account_is_not_probed_outside_of_it(
    courier: Platform, customer: AsyncSshServer, mood: Mood, doors: Doors
) -> None:
    mood.read_only = True
    courier.account("acme", customer.customer, Protocol.SFTP, delivery_window="Sun")
    recording_id = publish(courier, "one.wav")
    until(lambda: courier.row(recording_id)["starts"], "the first try to begin")
    doors.opens_at = datetime.now(UTC) + timedelta(hours=1)
    courier.wait_state("acme", State.SUSPENDED)
    wait_held(courier)
    run = courier.run_state("acme")
    seen = len(mood.uploads)
    until(lambda: not courier.run_state("acme").seconds_until(run.suspended_until), "the timer")
    publish(courier, "two.wav")
    assert courier.run_state("acme").suspensions == run.suspensions
    assert len(mood.uploads) == seen
    mood.read_only = False
    courier.core.ledger.accounts.try_now("acme")
    courier.wait_status(recording_id, "delivered")


def test_try_now_sends_what_waits_and_the_next_file_waits_again(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, delivery_window=hours(*CLOSED))
    ids = [publish(courier, "one.wav"), publish(courier, "two.wav")]
    wait_held(courier)
    with serving(courier) as console:
        console.user("admin", "acme")
        assert "tried now" in console.browser("admin").notice("/accounts/acme/state", do="try-now")
    for recording_id in ids:
        courier.wait_status(recording_id, "delivered")
    until(lambda: not courier.run_state("acme").opens_window, "the session to end")
    later = publish(courier, "three.wav")
    wait_held(courier)
    courier.account_for("acme", customer.root, queued=[later])
    assert courier.row(later)["starts"] == 0


def test_a_pause_outside_of_it_is_still_a_pause(
    courier: Platform, customer: AsyncSshServer
) -> None:
    courier.account("acme", customer.customer, Protocol.SFTP, delivery_window=hours(*CLOSED))
    publish(courier, "one.wav")
    wait_held(courier)
    courier.core.ledger.accounts.pause("acme")
    facts = read_account(courier.core, "acme")
    assert (facts.state, facts.window_opens_at) == ("paused", None)
