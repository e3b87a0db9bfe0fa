"""How many files a reader follows from a held message to its first byte, and to its end.

A *crossing* is a call, on that way, of a function or method that stands in another file than its
caller. The way of a message begins where the session takes it in hand (`Dispatch.next_flight`), in
the session's thread, and goes on in its flight's thread until the upload is called; the one back
begins where the ended flight is collected, and ends where the channel is told. Both are counted
while files are delivered, in flights of one and of many, over sessions at the server that stand:
the longest is what matters.

The way is that of `consumers/delivery`: calls between its files, and calls from there into other
folders and back. What a file of another folder does to answer (how the ledger claims, how files are
uploaded) is a story of its own. Values are no steps: what is made, and properties, with what they
ask; nor are the observers.
"""

import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest

from config.accounts import Protocol
from tests.integration.platform import MakeCourier, running
from tests.roots import CHECKOUT
from tests.servers.openssh import Sshd

OURS = (f"{CHECKOUT}/consumers/", f"{CHECKOUT}/transports/")
DELIVERY = f"{CHECKOUT}/consumers/delivery/"
MOST_TO_FIRST_BYTE = 12
MOST_OF_AN_ACK = 4
MAKES_CONTEXT = getattr(contextlib.contextmanager(iter), "__code__")  # noqa: B009 - untyped
BEGINNINGS = {"dispatch.next_flight", "flight.run", "flights.ended", "messages.send"}
"""Where the ways begin, each in its thread."""
MORE = "session.another"
"""One more session at the server is opened first."""
MANY = [f"call-{number:02}.wav" for number in range(24)]


@dataclass
class Crossings:
    """The ways that were gone."""

    begun: dict[str, list[str]] = field(default_factory=dict)
    """Of each flight, by the id of its first file: until it begins."""
    uploaded: dict[str, list[str]] = field(default_factory=dict)
    """From then on, until its upload is called."""
    acknowledged: list[list[str]] = field(default_factory=list)
    """Until the acknowledgement is handed to the broker's thread."""
    sent: list[list[str]] = field(default_factory=list)
    _ways: dict[str, list[str]] = field(default_factory=dict)
    """Of each thread, since it began one."""
    _flying: dict[str, str] = field(default_factory=dict)

    def note(self, frame: FrameType, event: str, _: Any) -> None:
        code = _called(frame) if event == "call" else None
        if code is None or not code.co_filename.startswith(OURS):
            return
        caller = _caller(frame)
        files = {code.co_filename, caller.f_code.co_filename}
        is_of_delivery = DELIVERY in {f"{Path(each).parent}/" for each in files}
        is_private = code.co_name.startswith(("_", "<"))
        is_value = any(_is_value(each) for each in (frame, caller))
        if len(files) > 1 and is_of_delivery and not (is_private or is_value):
            self._cross(f"{Path(code.co_filename).stem}.{code.co_name}", frame.f_locals)

    def _cross(self, crossing: str, given: dict[str, Any]) -> None:
        thread = threading.current_thread().name
        way = self._ways.setdefault(thread, [])
        if crossing in BEGINNINGS:
            way.clear()
        way.append(crossing)
        match crossing:
            case "flights.begin":
                self.begun[given["claims"][0].recording_id] = [*way]
            case "flight.run":
                self._flying[thread] = given["self"].claims[0].recording_id
            case "upload.upload" if way[0] == "flight.run":
                self.uploaded[self._flying[thread]] = [*way]
            case "connection.post" if "messages.acknowledge" in way:
                self.acknowledged.append([*way])
                way.clear()
            case "messages.send":
                self.sent.append([*way])


def _called(frame: FrameType) -> CodeType | None:
    """What is called. A generator of a context counts where it is made, not where it goes on."""
    if frame.f_code is MAKES_CONTEXT:
        made: CodeType | None = getattr(frame.f_locals["func"], "__code__", None)
        return made
    goes_on = frame.f_back is not None and frame.f_back.f_code.co_filename == contextlib.__file__
    return None if goes_on else frame.f_code


def _caller(frame: FrameType) -> FrameType:
    """What of ours calls, be it through a library; the frame itself where nothing does."""
    above = frame.f_back
    while above is not None and not above.f_code.co_filename.startswith(OURS):
        above = above.f_back
    return above or frame


def _is_value(frame: FrameType) -> bool:
    owner = type(frame.f_locals.get("self"))
    return isinstance(getattr(owner, frame.f_code.co_name, None), property | cached_property)


@contextlib.contextmanager
def counted() -> Iterator[Crossings]:
    found = Crossings()
    threading.setprofile(found.note)
    try:
        yield found
    finally:
        threading.setprofile(None)
        sys.setprofile(None)


@pytest.fixture
def crossings(make_courier: MakeCourier, sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> Crossings:
    """Of files over a login that stands, by one and by many."""
    monkeypatch.setattr("consumers.delivery.connection_pool.FLIGHT_SECONDS", 3600.0)
    monkeypatch.setattr("consumers.delivery.connection_pool.STALE_SECONDS", 600)
    courier = make_courier()
    with counted() as found, running(courier):
        courier.account("acme", sshd.customer, Protocol.SFTP)
        for names in (["first.wav"], ["second.wav"], MANY):
            if names == ["second.wav"]:
                found.uploaded.clear()  # of the first one, which has logged in
            for recording_id in courier.publish_many("acme", names):
                courier.wait_status(recording_id, "delivered")
            courier.wait_length("deliveries.acme", 0)
    return found


def test_the_ways_to_the_first_byte_and_to_the_acknowledgement_are_short(
    crossings: Crossings,
) -> None:
    ways = [crossings.begun[flight] + way for flight, way in crossings.uploaded.items()]
    longest = max((way for way in ways if MORE not in way), key=len)
    assert len(longest) <= MOST_TO_FIRST_BYTE, " ".join(longest)

    back = max(crossings.acknowledged, key=len) + max(crossings.sent, key=len)
    assert len(back) <= MOST_OF_AN_ACK, " ".join(back)
