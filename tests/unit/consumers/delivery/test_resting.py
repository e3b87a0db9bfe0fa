"""Accounts that rest until their server lets somebody in again."""

from consumers.delivery.resting import DUE_AT_ONCE, Resting


def test_those_of_a_server_that_is_away_rest_on_and_the_others_go_on_once() -> None:
    resting = Resting()
    for server, account in (("here", "acme"), ("there", "beta"), ("here", "gamma")):
        resting.note(server, account)
    assert resting.over({"there"}) == ["acme", "gamma"]
    assert resting.over({"there"}) == []
    assert resting.over(()) == ["beta"]


def test_no_more_go_on_together_than_can_log_in_soon_and_the_first_ones_first() -> None:
    resting = Resting()
    names = [f"account-{number}" for number in range(DUE_AT_ONCE + 1)]
    for name in (*names, names[0]):
        resting.note("here", name)
    assert resting.over(()) == names[:-1]
    assert resting.over(()) == names[-1:]
    assert resting.over(()) == []
