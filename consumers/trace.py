"""The trace of a recording (W3C Trace Context): how it is read, stored and passed on.

A message's headers come from strangers: they are taken exactly by the grammar, or not at all. This
needs no library, so that a recording has its trace whether spans are sent or not.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
SAMPLED, RANDOM = 0x01, 0x02
MAX_STATE = 512
"""Characters of a tracestate that are passed on (W3C, "tracestate Limits")."""
MAX_MEMBERS = 32
LONG_MEMBER = 128
"""Members longer than this are the first to be left out."""
MAX_GIVEN = 8192
"""A longer header is not looked at."""
_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?",
    re.ASCII,
)
_KEY = r"(?:[a-z][a-z0-9_\-*/]{0,255}|[a-z0-9][a-z0-9_\-*/]{0,240}@[a-z][a-z0-9_\-*/]{0,13})"
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = re.compile(f"(?P<key>{_KEY})={_VALUE}", re.ASCII)


@dataclass(frozen=True)
class TraceContext:
    """One point of a trace: what follows from it names it as its parent."""

    trace_id: str
    span_id: str
    flags: int = SAMPLED | RANDOM
    state: str = ""
    """`tracestate`, or nothing."""
    parent_id: str | None = None
    """Whence this point was reached, where it is known: not passed on."""

    @classmethod
    def begun(cls) -> "TraceContext":
        """A new trace. It is sampled: whoever receives the spans chooses among them."""
        return cls(secrets.token_hex(16), secrets.token_hex(8))

    @classmethod
    def read(cls, parent: object, state: object = None) -> "TraceContext | None":
        """From the two headers as they came; None where `traceparent` is not one."""
        found = _PARENT.fullmatch(_text(parent))
        if (
            found is None
            or found["version"] == "ff"
            or (found["version"] == "00" and found["more"])
        ):
            return None
        if not found["trace"].strip("0") or not found["span"].strip("0"):
            return None
        flags = int(found["flags"], 16) & (SAMPLED | RANDOM)
        return cls(found["trace"], found["span"], flags, _state(_text(state)))

    @classmethod
    def received(cls, headers: Mapping[str, Any] | None) -> "TraceContext | None":
        """From a message's headers; None where they name no trace."""
        given = headers or {}
        return cls.read(given.get(TRACEPARENT), given.get(TRACESTATE))

    @property
    def traceparent(self) -> str:
        """As it is stored and passed on."""
        return f"00-{self.trace_id}-{self.span_id}-{self.flags:02x}"

    @property
    def headers(self) -> dict[str, Any]:
        """What a message takes with it."""
        if not self.state:
            return {TRACEPARENT: self.traceparent}
        return {TRACEPARENT: self.traceparent, TRACESTATE: self.state}

    @property
    def is_sampled(self) -> bool:
        """Whether its spans are to be kept."""
        return bool(self.flags & SAMPLED)

    def child(self) -> "TraceContext":
        """A new point of the same trace, which follows from this one."""
        return replace(self, span_id=secrets.token_hex(8), parent_id=self.span_id)


def headers_of(trace: TraceContext | None) -> dict[str, Any]:
    """What a message of a recording takes with it; nothing for one from before traces were kept."""
    return {} if trace is None else trace.headers


def _text(given: object) -> str:
    """A header as clients of AMQP write it, as text or as bytes."""
    if isinstance(given, bytes):
        given = given[: MAX_GIVEN + 1].decode("latin-1")
    return given if isinstance(given, str) and len(given) <= MAX_GIVEN else ""


def _state(given: str) -> str:
    """The list as it may be passed on: as it came, shortened by whole members, or nothing at all.

    One member that is not by the grammar spoils the list, but not the trace.
    """
    members = [member for part in given.split(",") if (member := part.strip(" \t"))]
    found = [_MEMBER.fullmatch(member) for member in members]
    keys = [match["key"] for match in found if match]
    if len(keys) < len(members) or len({*keys}) < len(keys) or len(keys) > MAX_MEMBERS:
        return ""
    if len(",".join(members)) > MAX_STATE:
        members = [member for member in members if len(member) <= LONG_MEMBER]
    while len(",".join(members)) > MAX_STATE:
        members.pop()
    return ",".join(members)
