"""What lets users of the console in: their sessions and second factors."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, status

from config.permissions import Principal
from worker.console.access import ApiAccess, Right, of_user
from worker.console.api.user_models import SessionShape
from worker.console.people_acts import PeopleActs
from worker.console.services import services_of
from worker.show import Shape, session_shape

router = APIRouter(prefix="/users/{login}", tags=["users"])
OverUser = Annotated[Principal, Depends(ApiAccess(Right.ADMINISTER, of_user))]


@router.get("/sessions", response_model=list[SessionShape])
def list_sessions(_: OverUser, request: Request, login: str) -> list[Shape]:
    """The user's open sessions, the last used first."""
    services = services_of(request)
    found = services.sessions.of(services.users.get(login).login)
    return [session_shape(each) for each in found]


@router.delete("/sessions", status_code=status.HTTP_204_NO_CONTENT)
def end_sessions(principal: OverUser, request: Request, login: str) -> None:
    """Sign the user out everywhere."""
    PeopleActs(services_of(request), principal).end_sessions(login)


@router.delete("/second-factor", status_code=status.HTTP_204_NO_CONTENT)
def reset_factor(principal: OverUser, request: Request, login: str) -> None:
    """Forget the user's second factor, of one who has lost it; its sessions end.

    That of a user of the token's own account is reset in the console (409).
    """
    PeopleActs(services_of(request), principal).reset_factor(login)
