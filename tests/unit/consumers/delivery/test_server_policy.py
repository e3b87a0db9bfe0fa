"""Rules 26 and 27 of docs/rules.md, as far as they decide."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consumers.delivery.server_policy import (
    Go,
    Met,
    NotLetIn,
    Shared,
    Times,
    Wait,
    is_block,
    is_block_of_a_test,
    is_silent_to_all,
    is_told_enough,
    met_by,
    outlook,
)
from consumers.ledger import LastError
from consumers.ledger.servers import Away, ServerState, Sign, Trial
from transports.errors import (
    NoAnswerToTls,
    NoGreeting,
    SilentBeforeLogin,
    Stalled,
    TransferError,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
TIMES = Times.of(900)
GONE = LastError("account", "Connection refused", "Check it.")


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def signs(**accounts: float) -> list[Sign]:
    return [Sign(name, ago(seconds)) for name, seconds in accounts.items()]


def away(
    found: float,
    *,
    by: str = "beta",
    block: bool = False,
    wait: float = 5,
    met: str = Met.REFUSED,
    asked: float | None = None,
) -> Away:
    until = ago(found) + timedelta(seconds=wait)
    asked_at = None if asked is None else ago(asked)
    return Away(block, by, ago(found), until, times=1, error=GONE, met=met, asked_at=asked_at)


def test_with_suspensions_of_15_minutes_the_times_are_those_of_the_rules() -> None:
    assert (TIMES.spread, TIMES.well, TIMES.block) == (5, 60, 600)
    waits = [TIMES.until_next(times) for times in (*range(1, 9), 10_000)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60, 60]


@pytest.mark.parametrize("met", [Met.HUNG_UP, Met.REFUSED])
def test_others_that_were_well_just_now_tell_a_block(met: Met) -> None:
    server = ServerState(NOW, well=signs(acme=1, beta=50))
    assert is_block(met, server, "acme", TIMES)


@pytest.mark.parametrize("met", [Met.HUNG_UP, Met.REFUSED])
def test_others_that_failed_to_log_in_tell_a_block(met: Met) -> None:
    server = ServerState(NOW, refused=signs(beta=590))
    assert is_block(met, server, "acme", TIMES)


@pytest.mark.parametrize("met", [*Met])
def test_the_account_itself_tells_nothing(met: Met) -> None:
    server = ServerState(NOW, well=signs(acme=1), refused=signs(acme=1))
    assert not is_block(met, server, "acme", TIMES)


def test_a_refused_connection_is_an_outage_once_nobody_was_well_for_a_minute() -> None:
    server = ServerState(NOW, well=signs(beta=61))
    assert not is_block(Met.REFUSED, server, "acme", TIMES)
    assert is_block(Met.HUNG_UP, server, "acme", TIMES)


def test_a_hang_up_is_an_outage_once_nobody_was_well_for_the_longest_ban() -> None:
    server = ServerState(NOW, well=signs(beta=601), refused=signs(gamma=601))
    assert not is_block(Met.HUNG_UP, server, "acme", TIMES)


def test_silence_is_never_taken_for_a_block() -> None:
    assert not is_block(Met.UNREACHED, ServerState(NOW, well=signs(beta=1)), "acme", TIMES)


def test_silence_at_a_login_is_everybodys_once_another_account_has_just_met_it() -> None:
    took = 30.0
    for silent, answered, expected in (
        (signs(acme=0), (), False),
        (signs(beta=1), (), True),
        (signs(beta=took + 60), (), True),
        (signs(beta=took + 61), (), False),
        (signs(beta=1), signs(gamma=took + 60), False),
        (signs(beta=1), signs(gamma=took + 61), True),
    ):
        for well, refused in ((answered, ()), ((), answered)):
            server = ServerState(NOW, well, refused, silent)
            assert is_silent_to_all(server, "acme", took, TIMES) is expected


@pytest.mark.parametrize(
    ("failure", "met"),
    [
        (Stalled("Silent"), Met.SILENT),
        (SilentBeforeLogin("Silent"), Met.SILENT),
        (NoAnswerToTls("Silent"), Met.SILENT),
        (NoGreeting("Silent"), Met.UNREACHED),
    ],
)
def test_only_a_server_that_says_nothing_to_nobody_is_taken_for_one_that_is_away(
    failure: TransferError, met: Met
) -> None:
    assert met_by(failure) == met
    assert isinstance(failure, NotLetIn) is (met == Met.UNREACHED)


def test_silence_is_shared_three_times_until_the_next_probes_are_over() -> None:
    for found, expected in (
        ((), False),
        ((1, 2), False),
        ((1, 2, 1800), True),
        ((1, 2, 1801), False),
    ):
        server = ServerState(NOW, silences=[ago(seconds) for seconds in found])
        assert is_told_enough(server, TIMES) is expected


def test_who_was_let_in_since_it_was_silent_to_it_does_not_wait_for_those_that_hang() -> None:
    hangs = ServerState(NOW, away=away(3, met=Met.SILENT))
    known = replace(hangs, well=signs(acme=90_000))
    assert outlook(known, "acme", TIMES) == Go(is_trial=False)
    assert outlook(known, "gamma", TIMES) == Shared(GONE, ago(3))
    hung_since = replace(known, silent=signs(acme=89_000))
    assert outlook(hung_since, "acme", TIMES) == Shared(GONE, ago(3))
    is_down = replace(known, away=away(3))
    assert outlook(is_down, "acme", TIMES) == Shared(GONE, ago(3)), "nobody takes connections"


def test_who_has_met_silence_itself_shares_what_is_found_right_after_it_no_more() -> None:
    server = ServerState(NOW, silent=signs(acme=7.9), away=away(3, met=Met.SILENT))
    assert outlook(server, "acme", TIMES) == Wait(2)


def test_a_silence_that_is_not_shared_is_waited_for() -> None:
    found = replace(away(3, met=Met.SILENT), repeats=True)
    assert outlook(ServerState(NOW, away=found), "acme", TIMES) == Wait(2)
    assert outlook(ServerState(NOW, away=replace(found, repeats=False)), "acme", TIMES) == Shared(
        GONE, ago(3)
    )


def test_who_has_found_a_silence_lets_others_try_before() -> None:
    server = ServerState(NOW, away=away(3, met=Met.SILENT))
    assert outlook(server, "beta", TIMES) == Wait(2 + TIMES.spread)


def test_a_server_that_lets_us_in_is_no_matter() -> None:
    assert outlook(ServerState(NOW), "acme", TIMES) == Go(is_trial=False)


def test_what_another_account_has_just_found_is_shared() -> None:
    server = ServerState(NOW, away=away(3))
    assert outlook(server, "acme", TIMES) == Shared(GONE, ago(3))
    assert outlook(server, "beta", TIMES) == Go(is_trial=True), "whoever has found it tries again"


def test_one_finding_is_shared_once_with_an_account() -> None:
    server = ServerState(NOW, away=away(3))
    assert outlook(server, "acme", TIMES, shared_at=ago(3)) == Wait(2)
    again = outlook(server, "acme", TIMES, shared_at=ago(7.9))
    assert again == Wait(2), "nor what is found right after it"
    assert outlook(server, "acme", TIMES, shared_at=ago(8)) == Shared(GONE, ago(3))


def test_a_probe_is_answered_by_what_was_asked_of_the_server_after_it_alone() -> None:
    server = ServerState(NOW, away=away(3, asked=8))
    assert outlook(server, "acme", TIMES, asks_since=ago(8)) == Shared(GONE, ago(3))
    assert outlook(server, "acme", TIMES, asks_since=ago(7.9)) == Wait(2)
    earlier_version = ServerState(NOW, away=away(3))
    assert outlook(earlier_version, "acme", TIMES, asks_since=ago(8)) == Wait(2)


def test_a_probe_that_has_rested_meanwhile_is_answered_still() -> None:
    for found, told in ((9.9, Shared(GONE, ago(9.9))), (10.1, Go(is_trial=True))):
        server = ServerState(NOW, away=away(found, asked=20))
        assert outlook(server, "acme", TIMES, asks_since=ago(60)) == told


def test_to_a_test_of_settings_refused_logins_tell_a_block_be_they_its_own() -> None:
    refused = ServerState(NOW, refused=signs(acme=590))
    well = ServerState(NOW, well=signs(acme=5))
    found = ServerState(NOW, away=away(590, block=True))
    for met in (Met.HUNG_UP, Met.REFUSED):
        assert is_block_of_a_test(met, refused, "acme", TIMES)
        assert is_block_of_a_test(met, found, "acme", TIMES)
        assert not is_block_of_a_test(met, well, "acme", TIMES)
    long_ago = ServerState(NOW, refused=signs(acme=601), away=away(601, block=True))
    assert not is_block_of_a_test(Met.HUNG_UP, long_ago, "acme", TIMES)


def test_a_hang_up_that_is_a_block_for_whoever_asks_is_not_shared() -> None:
    server = ServerState(NOW, well=signs(beta=590), away=away(3, met=Met.HUNG_UP))
    assert outlook(server, "acme", TIMES) == Wait(2)


@pytest.mark.parametrize("met", [*Met])
@pytest.mark.parametrize("who", ["acme", "beta", "gamma"])
def test_what_was_met_is_not_shared_where_somebody_was_well_just_now(met: Met, who: str) -> None:
    seen = signs(**{who: 59})
    for well, refused in ((seen, ()), ((), seen)):
        server = ServerState(NOW, well, refused, away=away(3, met=met))
        is_known_well = met == Met.SILENT and (who, well) == ("acme", seen)
        expected = Go(is_trial=False) if is_known_well else Wait(2)
        assert outlook(server, "acme", TIMES) == expected


@pytest.mark.parametrize("met", [Met.REFUSED, Met.UNREACHED, "what a later version has met"])
def test_an_outage_is_shared_once_nobody_was_well_for_a_minute(met: str) -> None:
    server = ServerState(NOW, well=signs(acme=61, gamma=62), away=away(3, met=met))
    assert outlook(server, "acme", TIMES) == Shared(GONE, ago(3))


def test_a_block_is_waited_for_by_all() -> None:
    server = ServerState(NOW, away=away(3, block=True, wait=16))
    assert outlook(server, "acme", TIMES) == outlook(server, "beta", TIMES) == Wait(13)


def test_one_tries_at_a_time() -> None:
    trial = Trial("token", NOW + timedelta(seconds=20))
    server = ServerState(NOW, away=away(30), trial=trial)
    assert outlook(server, "acme", TIMES) == Wait(TIMES.spread / 2)
    assert outlook(server, "beta", TIMES) == Wait(TIMES.spread / 2)


def test_a_trial_whose_worker_has_died_holds_nobody_for_long() -> None:
    server = ServerState(NOW, away=away(90), trial=Trial("token", ago(1)))
    assert outlook(server, "acme", TIMES) == Go(is_trial=True)


def test_after_the_wait_whoever_asks_first_tries() -> None:
    assert outlook(ServerState(NOW, away=away(6)), "acme", TIMES) == Go(is_trial=True)
    blocked = ServerState(NOW, away=away(17, block=True, wait=16))
    assert outlook(blocked, "acme", TIMES) == Go(is_trial=True)
