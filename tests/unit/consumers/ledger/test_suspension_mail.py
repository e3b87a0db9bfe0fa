"""What the e-mails about a suspension and its end are made of."""

from consumers.ledger import LastError, RecoveryAlert, SuspensionAlert
from consumers.ledger.pending import recovery_facts, suspension_facts
from tests.integration.ledger.runs import ACCOUNT
from transports.diagnosis import ours, reaching


def test_it_advises_the_accounts_own_people() -> None:
    cause = reaching.NAME_NOT_ANSWERED
    error = LastError("account", "No answer of the resolver", cause.next_step, cause=cause.code)
    facts = suspension_facts(SuspensionAlert(ACCOUNT, error, 1, None), 10, 900, dormant=False)
    [told, _] = facts["$mergeObjects"]
    assert told["$literal"]["advice"] == cause.for_customers
    assert "operators" not in told["$literal"]["advice"]
    assert told["$literal"]["words"] == "No answer of the resolver"


def test_they_tell_the_cause_where_the_platform_failed_and_the_digest_what_was_said() -> None:
    cause, words = ours.PROGRAM_FAULT, "A fault of the program at connecting"
    error = LastError("account", words, cause.next_step, "courier", cause.code)
    suspended = SuspensionAlert(ACCOUNT, error, 1, None)
    for facts in (
        suspension_facts(suspended, 10, 900, dormant=False),
        recovery_facts(RecoveryAlert(ACCOUNT, error, 1, 0)),
    ):
        told = facts["$mergeObjects"][0]["$literal"]
        assert (told["words"], told["said_by"]) == (cause.cause, "courier")
        assert told["operators_words"] == words
