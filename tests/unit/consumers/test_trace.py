"""W3C Trace Context: what a stranger's headers say is taken by the grammar, or not at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.trace import MAX_STATE, TraceContext, headers_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def state(given: object) -> str:
    found = TraceContext.read(PARENT, given)
    assert found is not None
    return found.state


@pytest.mark.parametrize("parent", [PARENT, PARENT.encode()])
def test_a_trace_is_read_from_text_and_from_bytes(parent: object) -> None:
    found = TraceContext.received({"traceparent": parent, "tracestate": b"vendor=1", "other": 3})
    assert found == TraceContext(TRACE, SPAN, 1, "vendor=1")
    assert found.headers == {"traceparent": PARENT, "tracestate": "vendor=1"}
    assert found.is_sampled


@pytest.mark.parametrize(
    "parent",
    [
        None,
        "",
        7,
        ["00", TRACE],
        {"traceparent": PARENT},
        PARENT.upper(),
        f" {PARENT}",
        f"{PARENT}\n",
        f"{PARENT}-",
        f"{PARENT}-more",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-zz",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}٤-{SPAN}-01",
        f"cc-{TRACE}-{SPAN}-01.more",
        b"\xff\xfe" + PARENT.encode(),
        PARENT + "0" * 1_000_000,
    ],
)
def test_what_is_no_traceparent_is_none(parent: object) -> None:
    assert TraceContext.received({"traceparent": parent}) is None


@pytest.mark.parametrize("headers", [None, {}, {"tracestate": "vendor=1"}])
def test_no_header_is_no_trace(headers: dict[str, object] | None) -> None:
    assert TraceContext.received(headers) is None


@pytest.mark.parametrize("more", ["", "-what-is-to-come"])
def test_a_later_version_is_read_as_far_as_it_is_known(more: str) -> None:
    found = TraceContext.read(f"cc-{TRACE}-{SPAN}-01{more}")
    assert found is not None
    assert found.traceparent == PARENT


def test_flags_that_nobody_knows_are_not_passed_on() -> None:
    found = TraceContext.read(f"00-{TRACE}-{SPAN}-fe")
    assert found is not None
    assert found.traceparent.endswith("-02")
    assert not found.is_sampled


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("a=1,b=2", "a=1,b=2"),
        (" a=1 ,\t, b=2,", "a=1,b=2"),
        ("tenant@system=x y", "tenant@system=x y"),
        ("a=1,a=2", ""),
        ("A=1", ""),
        ("a=1,b", ""),
        ("a=\x00", ""),
        ("a=é", ""),
        ("a=" + "x" * 257, ""),
        (",".join(f"k{n}=v" for n in range(33)), ""),
        (7, ""),
        (b"a=1", "a=1"),
        ("a=1," * 3000, ""),
    ],
)
def test_a_tracestate_is_passed_on_as_a_whole_or_not_at_all(given: object, passed: str) -> None:
    assert state(given) == passed


def test_a_long_tracestate_loses_its_long_members_first_and_then_its_last() -> None:
    short = [f"k{n}={'v' * 50}" for n in range(20)]
    found = state(",".join([f"long={'x' * 200}", *short]))
    assert found == ",".join(short[:9])
    assert len(found) <= MAX_STATE


@given(st.one_of(st.text(), st.binary()), st.one_of(st.text(), st.binary()))
def test_nothing_that_is_said_is_too_much(parent: object, given: object) -> None:
    TraceContext.read(parent, given)
    assert len(state(given)) <= MAX_STATE


def test_one_that_is_begun_is_like_one_that_is_read() -> None:
    begun = TraceContext.begun()
    assert TraceContext.read(begun.traceparent) == begun
    assert begun.is_sampled
    assert begun.trace_id != TraceContext.begun().trace_id


def test_a_child_is_of_the_same_trace_and_names_its_parent() -> None:
    parent = TraceContext(TRACE, SPAN, 1, "vendor=1")
    child = parent.child()
    assert (child.trace_id, child.parent_id) == (TRACE, SPAN)
    assert (child.flags, child.state) == (1, "vendor=1")
    assert child.span_id != SPAN


def test_a_recording_from_before_traces_takes_no_header_with_it() -> None:
    assert headers_of(None) == {}
