"""What a person hears who listens to a conversation with a server."""

import gc

from pydantic import SecretStr

from transports.tap import MAX_LINE, Line, Said, Tap, Taps

SECRET = "hunter22"


def heard(tap: Tap) -> list[Line]:
    lines: list[Line] = []
    tap.listener = lines.append
    return lines


def test_a_line_names_its_connection_and_who_speaks() -> None:
    tap = Tap()
    first, second = (tap.conversation(SecretStr(SECRET)) for _ in range(2))
    lines = heard(tap)
    first.asked("SIZE a.wav")
    second.answered("213 480044")
    tap.step("connected", "192.0.2.1")
    assert lines == [
        Line(1, Said.US, "SIZE a.wav"),
        Line(2, Said.SERVER, "213 480044"),
        Line(0, Said.STEP, "connected: 192.0.2.1"),
    ]


def test_the_password_is_masked_wherever_it_is_said() -> None:
    tap = Tap()
    conversation = tap.conversation(SecretStr(SECRET))
    lines = heard(tap)
    conversation.asked(f"USER {SECRET}")
    conversation.answered(f"530 {SECRET} is wrong".encode())
    assert [line.text for line in lines] == ["USER ***", "530 *** is wrong"]


def test_hostile_text_is_one_bounded_printable_line() -> None:
    tap = Tap()
    lines = heard(tap)
    tap.conversation(SecretStr("")).answered(b"220-\x1b[31m\r\n220 " + b"x" * 10_000)
    [line] = lines
    assert line.text.isprintable()
    assert len(line.text) == MAX_LINE


def test_while_nobody_listens_nothing_is_told() -> None:
    tap = Tap()
    conversation = tap.conversation(SecretStr(SECRET))
    assert [conversation.is_heard] == [False]
    conversation.asked("NOOP")
    lines = heard(tap)
    assert [conversation.is_heard] == [True]
    conversation.asked("NOOP")
    assert len(lines) == 1


def test_an_account_has_one_tap_as_long_as_somebody_has_it() -> None:
    taps = Taps()
    tap = taps.of("acme")
    lines = heard(tap)
    assert taps.of("acme") is tap
    assert taps.of("other") is not tap
    del tap
    gc.collect()
    taps.of("acme").step("connected", "")
    assert lines == []
