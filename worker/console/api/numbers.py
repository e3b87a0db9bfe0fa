"""Telephone numbers and delivery methods."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, status

from config.numbers import MAX_NUMBER, Number
from config.permissions import Principal
from worker.console.access import ApiAccess, NotFound, Right
from worker.console.acts import Acts
from worker.console.api.models import NumberMethod, NumberShape
from worker.console.services import services_of
from worker.show import Shape, number_shape

router = APIRouter(prefix="/accounts/{account_id}/numbers", tags=["numbers"])
Viewer = Annotated[Principal, Depends(ApiAccess(Right.SEE))]
Changer = Annotated[Principal, Depends(ApiAccess(Right.CHANGE))]
Provider = Annotated[Principal, Depends(ApiAccess(Right.PROVIDER))]
NumberText = Annotated[str, Path(pattern=rf"^[\x20-\x7e]{{1,{MAX_NUMBER}}}$")]


@router.get("", response_model=list[NumberShape])
def list_numbers(_: Viewer, request: Request, account_id: str) -> list[Shape]:
    """The account's numbers."""
    return [number_shape(each) for each in services_of(request).directory.numbers([account_id])]


@router.put("/{number:path}", response_model=NumberShape)
def set_number(
    principal: Changer, request: Request, account_id: str, number: NumberText, given: NumberMethod
) -> Shape:
    """Store its delivery method; only the service provider gives an account another number.

    Blanks, dashes and brackets are left out of the number; the answer has it as it is stored.
    """
    chosen = Number(number, account_id, given.method)
    return number_shape(Acts(services_of(request), principal).set_number(chosen))


@router.delete("/{number:path}", status_code=status.HTTP_204_NO_CONTENT)
def remove_number(
    principal: Provider, request: Request, account_id: str, number: NumberText
) -> None:
    """Forget a number; its recordings then go by the account's default method."""
    known = services_of(request).directory.number(number)
    if known is None or known.account_id != account_id:
        raise NotFound
    Acts(services_of(request), principal).remove_number(account_id, number)
