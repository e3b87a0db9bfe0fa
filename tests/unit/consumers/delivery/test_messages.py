"""Which messages are acknowledged together, and how the files of a lost flight are halved."""

import threading
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.dispatch import _half_of_lost
from consumers.delivery.flights import Ended, Flights
from consumers.delivery.messages import Ack, Delivery, HeldMessage, Messages
from consumers.delivery.slots import Slots


class Channel:
    """A consumer, of which only the acknowledgements matter."""

    def __init__(self, unsettled: Sequence[int]) -> None:
        self.unsettled = [*unsettled]
        self.acks: list[Ack] = []

    def ack(self, acks: Sequence[Ack]) -> None:
        """As RabbitMQ does it."""
        self.acks += acks
        for ack in acks:
            assert ack.tag in self.unsettled
            for tag in [*self.unsettled]:
                if tag == ack.tag or (ack.multiple and tag < ack.tag):
                    self.unsettled.remove(tag)


def holding(tags: Sequence[int]) -> tuple[Messages, Channel]:
    stirred = threading.Event()
    means: Any = None  # nothing is asked of it for a file that was delivered
    messages = Messages(means, "acme", Flights(1, Slots(1), stirred), stirred)
    channel: Any = Channel(tags)
    messages._consumer = channel
    messages._held = {tag: HeldMessage(Delivery(tag, str(tag), 1, b"", 0.0)) for tag in tags}
    return messages, channel


def deliver(messages: Messages, tags: Sequence[int]) -> None:
    claims: list[Any] = [SimpleNamespace(recording_id=str(tag)) for tag in tags]
    messages.acknowledge([Ended(claim, delivered=True) for claim in claims])


@pytest.mark.parametrize(
    ("delivered", "acks"),
    [
        ([1, 2, 3], [Ack(3, multiple=True)]),
        ([1, 2, 4], [Ack(2, multiple=True), Ack(4)]),
        ([2, 3], [Ack(2), Ack(3)]),
        ([], []),
    ],
)
def test_all_up_to_the_first_unsettled_one_go_together(
    delivered: list[int], acks: list[Ack]
) -> None:
    messages, channel = holding([1, 2, 3, 4, 5])
    deliver(messages, delivered)
    assert channel.acks == acks


@given(st.permutations(range(1, 13)), st.lists(st.integers(1, 5), max_size=5))
def test_in_whatever_order_they_are_settled_no_other_one_is_acknowledged(
    order: list[int], sizes: list[int]
) -> None:
    messages, channel = holding(sorted(order))
    left = [*order]
    for size in sizes:
        flight, left = left[:size], left[size:]
        deliver(messages, flight)
        assert channel.unsettled == sorted(left) == [*messages._held]


def lost(*shared: int) -> list[HeldMessage]:
    return [
        HeldMessage(Delivery(tag, str(tag), 1, b"", 0.0), crashed_with=n)
        for tag, n in enumerate(shared)
    ]


@pytest.mark.parametrize(
    ("shared", "together"),
    [
        ([1], 1),
        ([16] * 16, 8),
        ([8] * 16, 4),
        ([2, 2], 1),
        ([3, 3, 3], 1),
        ([16, 16, 16, 2, 16], 3),
        ([1, 16, 16], 1),
        ([200] * 40, 16),
    ],
)
def test_half_as_many_as_shared_the_lost_flight_of_any_of_them(
    shared: list[int], together: int
) -> None:
    assert len(_half_of_lost(lost(*shared))) == together


@given(st.integers(1, 48))
def test_a_file_that_kills_its_worker_is_alone_after_a_few_deaths(files: int) -> None:
    shared, deaths = files, 0
    while shared > 1:
        shared = len(_half_of_lost(lost(*[shared] * files)))
        deaths += 1
    assert deaths <= 5
