"""Acts on many accounts at once."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response, status
from pydantic import ConfigDict, Field

from config.errors import FieldRefused
from config.permissions import Principal
from consumers.ledger import AccountSummary
from consumers.ledger.bulk_actions import BulkAction, Stage
from worker.console import listing
from worker.console.access import ApiAccess, NotFound, Right, of_account_run
from worker.console.account_acts import AccountAct, fitting, plan
from worker.console.api.account_list import AccountsAsked
from worker.console.api.models import AccountId, Given, Taken
from worker.console.bulk_acts import BulkActs
from worker.console.services import services_of
from worker.show import Shape

MAX_IDS = 1000

router = APIRouter(tags=["accounts"])
Anyone = Annotated[Principal, Depends(ApiAccess(Right.SIGNED_IN))]
Owner = Annotated[Principal, Depends(ApiAccess(Right.SEE, of_account_run))]


class ActFilter(AccountsAsked):
    """The same as the query of `GET /accounts`; an empty one takes every account."""

    model_config = ConfigDict(extra="forbid")  # a name with a slip must not choose all


class ActInput(Taken):
    """With which accounts: those named, or all that a filter takes. One of the two is given."""

    do: AccountAct
    account_ids: list[AccountId] | None = Field(default=None, max_length=MAX_IDS)
    filter: ActFilter | None = None
    dry_run: bool = False
    """Only count."""


class RefusedShape(Given):
    """An account with which it was not done."""

    account_id: str
    message: str


class ActShape(Given):
    """An act on many accounts: how far it is, and what came of it."""

    run_id: str | None
    """None where it was only counted."""
    do: AccountAct
    total: int
    """Accounts that it fits."""
    left_out: int
    """Accounts that were asked for and that it does not fit, such as a resumption of one that is
    not paused."""
    done: int
    refused: list[RefusedShape]
    """The first 1,000 of them."""
    begun: bool
    ended: bool
    problem: str | None
    """Why it does not go on just now, or ended before it was through."""


@router.post("/account-acts", status_code=status.HTTP_202_ACCEPTED, response_model=ActShape)
def act_on_accounts(
    principal: Anyone, request: Request, response: Response, asked: ActInput
) -> Shape:
    """Try now, pause or resume many accounts; `GET /account-acts/{run_id}` tells how far it is.

    It goes on by itself, whatever becomes of the console.

    With `dry_run` nothing is done, and the answer (200) has the number. Of the accounts named those
    are left out that the token may not see.
    """
    services = services_of(request)
    everything = listing.visible(services, principal)
    if (asked.account_ids is None) == (asked.filter is None):
        words = "Either account_ids or a filter must be given, and not both of them."
        raise FieldRefused("account_ids", words)
    if asked.filter is not None:
        chosen = listing.matching(everything, asked.filter.filter)
    else:
        wanted = {*(asked.account_ids or ())}
        chosen = [each for each in everything if each.account_id in wanted]
    if asked.dry_run:
        response.status_code = status.HTTP_200_OK
        return _counted(asked.do, chosen)
    planned = plan(services, principal, asked.do, chosen)
    return _shape(request, BulkActs(services, principal).begin_accounts(planned))


@router.get("/account-acts/{run_id}", response_model=ActShape)
def show_run(principal: Owner, request: Request, run_id: str) -> Shape:
    """How far it is, and with which accounts it was refused; for the token that began it.

    `GET /bulk-actions/{run_id}` tells the same to others who may see it, and can stop it.
    """
    action = BulkActs(services_of(request), principal).own_plan(run_id)
    if action is None:
        raise NotFound
    return _shape(request, action)


def _counted(act: AccountAct, chosen: Sequence[AccountSummary]) -> Shape:
    """Nothing is stored: a plan more would let an older one go."""
    fit = len(fitting(act, chosen))
    return {
        "run_id": None,
        "do": act.value,
        "total": fit,
        "left_out": len(chosen) - fit,
        "done": 0,
        "refused": [],
        "begun": False,
        "ended": False,
        "problem": None,
    }


def _shape(request: Request, action: BulkAction) -> Shape:
    refusals = services_of(request).ledger.bulk_actions.refusals(action.action_id)
    refused = [{"account_id": each.account_id, "message": each.sentence} for each in refusals]
    return {
        "run_id": action.action_id,
        "do": action.verb.value,
        "total": action.total,
        "left_out": action.left_out,
        "done": action.done,
        "refused": refused,
        "begun": action.stage is not Stage.PLANNED,
        "ended": action.is_over,
        "problem": action.problem or None,
    }
