"""Telephone numbers and delivery methods."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request, status
from pydantic import AfterValidator

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
_TEXT = re.compile(rf"[\x20-\x7e]{{1,{MAX_NUMBER}}}")


def _number_text(value: str) -> str:
    if not _TEXT.fullmatch(value):
        raise ValueError(f"must have 1 to {MAX_NUMBER} printable ASCII characters")
    return value


NumberText = Annotated[
    str, AfterValidator(_number_text), Path(json_schema_extra={"pattern": f"^{_TEXT.pattern}$"})
]


@router.get("", response_model=list[NumberShape])
def list_numbers(_: Viewer, request: Request, account_id: str) -> list[Shape]:
    """The account's numbers."""
    return [number_shape(each) for each in services_of(request).directory.numbers([account_id])]


@router.put("/{number:path}", response_model=NumberShape)
def set_number(
    principal: Changer, request: Request, account_id: str, number: NumberText, given: NumberMethod
) -> Shape:
    """Store its delivery method; only the service provider gives an account another number.

    The number is stored in E.164; the answer has it so. A short code, an extension, or what else is
    no country's number, is refused unless `allow_short` says that it is meant.
    """
    chosen = Number(number, account_id, given.method)
    acts = Acts(services_of(request), principal)
    return number_shape(acts.set_number(chosen, allow_short=given.allow_short))


@router.delete("/{number:path}", status_code=status.HTTP_204_NO_CONTENT)
def remove_number(
    principal: Provider, request: Request, account_id: str, number: NumberText
) -> None:
    """Forget a number; its recordings then go by the account's default method."""
    known = services_of(request).directory.number(number)
    if known is None or known.account_id != account_id:
        raise NotFound
    Acts(services_of(request), principal).remove_number(account_id, number)
