"""A connection of pika's that takes deliveries out of their frames itself.

pika makes some twenty objects of each message, and decodes all that is said beside its body: where
somebody goes through thousands of messages, that is most of the time.
"""

from collections.abc import Callable
from functools import cached_property
from struct import Struct, pack
from typing import Any

from pika import BasicProperties
from pika.adapters.select_connection import SelectConnection
from pika.spec import FRAME_BODY, FRAME_END, FRAME_HEADER, FRAME_METHOD, Basic

_HEAD = Struct(">BHL")
"""What each frame begins with: its type, its channel, and the size of its content."""
_LONG = Struct(">Q")
_DELIVER = pack(">L", Basic.Deliver.INDEX)


class Delivery:
    """A message as it was delivered. What is said beside its body is decoded once it is asked
    for."""

    def __init__(self, tag: int, encoded: bytes, body: bytes) -> None:
        self.tag = tag
        self.body = body
        self._encoded = encoded

    @cached_property
    def properties(self) -> Any:
        """pika's, which are typed nowhere."""
        return BasicProperties().decode(self._encoded)


class DeliveryConnection(SelectConnection):  # type: ignore[misc]  # pika has no types
    """Collects deliveries, of one channel alone, from `collect` on. All else stays pika's."""

    _frame_buffer: bytes

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._arrived: list[Delivery] = []
        self._wake: Callable[[], object] | None = None
        self._tag = 0
        self._properties = b""
        self._missing = 0
        """Bytes of the body that have not come yet."""
        self._parts: list[bytes] = []

    def collect(self, wake: Callable[[], object]) -> list[Delivery]:
        """The list that deliveries are appended to, each once it is whole; `wake` is called where
        the list was empty."""
        self._wake = wake
        return self._arrived

    def _on_data_available(self, data_in: bytes) -> None:
        if self._wake is None:
            super()._on_data_available(data_in)
            return
        buffer, at = self._frame_buffer + data_in, 0
        while len(buffer) - at > _HEAD.size:
            kind, _, size = _HEAD.unpack_from(buffer, at)
            first = at + _HEAD.size
            end = first + size
            if end >= len(buffer):
                break
            at_frame, at = at, end + 1
            if buffer[end] == FRAME_END and self._takes(kind, buffer[first:end]):
                self.bytes_received += at - at_frame
            else:
                self._frame_buffer = buffer[at_frame:at]
                super()._on_data_available(b"")
        self._frame_buffer = buffer[at:]

    def _takes(self, kind: int, content: bytes) -> bool:
        """Whether the frame is a part of a delivery."""
        if kind == FRAME_METHOD:
            if not content.startswith(_DELIVER):
                return False
            [self._tag] = _LONG.unpack_from(content, 5 + content[4])  # behind the consumer's name
        elif kind == FRAME_HEADER:
            [self._missing] = _LONG.unpack_from(content, 4)
            self._properties = content[12:]
            self._end_if_whole()
        elif kind == FRAME_BODY:
            self._missing -= len(content)
            self._parts.append(content)
            self._end_if_whole()
        else:
            return False
        return True

    def _end_if_whole(self) -> None:
        if self._missing:
            return
        if self._wake is not None and not self._arrived:
            self._wake()
        self._arrived.append(Delivery(self._tag, self._properties, b"".join(self._parts)))
        self._parts = []
