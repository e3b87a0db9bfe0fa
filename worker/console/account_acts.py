"""Acts on many accounts at once: what each is called, and which accounts it fits."""

from collections.abc import Sequence
from enum import StrEnum

from config.permissions import Principal
from consumers.ledger import AccountSummary
from consumers.ledger.bulk_actions import BulkAction, Verb
from worker.console.bulk_acts import BulkActs
from worker.console.language import mark as N_
from worker.console.services import Services


class AccountAct(StrEnum):
    """What can be done with many accounts at once."""

    TRY_NOW = "try-now"
    PAUSE = "pause"
    RESUME = "resume"

    @property
    def label(self) -> str:
        """On its button."""
        labels = {"try-now": N_("Try now"), "pause": N_("Pause"), "resume": N_("Resume")}
        return labels[self.value]

    def fits(self, account: AccountSummary) -> bool:
        """Whether there is anything to do; the act itself looks once more."""
        if self is AccountAct.TRY_NOW:
            may_wait = account.has_window and account.state in {"active", "probing"}
            return account.state == "suspended" or may_wait
        return account.paused is (self is AccountAct.RESUME)


def fitting(act: AccountAct, chosen: Sequence[AccountSummary]) -> list[str]:
    """Those of the chosen accounts that the act fits."""
    return [each.account_id for each in chosen if act.fits(each)]


def plan(
    services: Services,
    principal: Principal,
    act: AccountAct,
    chosen: Sequence[AccountSummary],
    back: str = "",
) -> BulkAction:
    """What is to be done with those of the chosen accounts that the act fits; nothing is changed
    yet."""
    fit = fitting(act, chosen)
    acts, left_out = BulkActs(services, principal), len(chosen) - len(fit)
    return acts.plan_accounts(Verb(act.value), fit, left_out=left_out, back=back)
